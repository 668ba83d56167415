"""Boxes drawn on a picture."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.files import write_atomic

KINDS = {"right": (46, 160, 67), "false": (218, 54, 51), "missed": (240, 180, 0)}
COLORS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (255, 127, 14), (148, 103, 189),
          (23, 190, 207), (227, 119, 194), (188, 189, 34), (140, 86, 75), (90, 90, 90))  # fmt: skip
Mark = tuple[str, Sequence[float], str]  # text, corners, a key of KINDS or the name of a class


def marks_of(entry: dict[str, Any]) -> list[Mark]:
    """What is drawn of a picture's record in an evaluation."""
    marks: list[Mark] = [
        (f"{f['label']} {f['score']:.2f}", f["box"], "false" if f["false"] else "right")
        for f in entry["found"]
    ]
    return marks + [(t["label"], t["box"], "missed") for t in entry["true"] if t["missed"]]


def mistakes_of(entry: dict[str, Any]) -> dict[str, list[str]]:
    """The classes of what was missed in a picture, and of what was told wrongly."""
    return {
        "missed": [true["label"] for true in entry["true"] if true["missed"]],
        "false": [found["label"] for found in entry["found"] if found["false"]],
    }


def wrong_boxes(entry: dict[str, Any]) -> int:
    """How many boxes of a picture were missed or told wrongly."""
    return sum(map(len, mistakes_of(entry).values()))


def draw_boxes(
    pixels: NDArray[np.uint8], marks: Sequence[Mark], path: Path, *, side: int | None = None
) -> None:
    """Write a JPEG (or PNG, by the name) of the picture (H, W, 3) with its marks, see `drawn`."""
    kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    write_atomic(path, drawn(pixels, marks, side=side, kind=kind))


def drawn(
    pixels: NDArray[np.uint8], marks: Sequence[Mark], *, side: int | None = None, kind: str = "JPEG"
) -> bytes:
    """The content of a JPEG or PNG of the picture (H, W, 3) with its marks.

    side: the long side is made no longer than so many pixels.
    """
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels)
    scale = 1.0 if side is None else min(1.0, side / max(image.size))
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in image.size)
        image = image.resize((width, height))
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(image.size) / 400))
    font = ImageFont.load_default(size=max(10, round(max(image.size) / 60)))
    for text, corners, mark in sorted(marks, key=lambda each: each[2] == "missed"):
        color = KINDS.get(mark) or color_of(mark)
        x0, y0, x1, y1 = (float(value) * scale for value in corners)
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=color, width=width)
        left, top, right, bottom = draw.textbbox((x0, y0), text, font=font)
        high = bottom - top + 2 * width
        start = y0 - high if y0 >= high else y0
        draw.rectangle((x0, start, x0 + right - left + 2 * width, start + high), fill=color)
        draw.text((x0 + width, start + width - (top - y0)), text, fill="white", font=font)
    file = io.BytesIO()
    image.save(file, kind, quality=88)
    return file.getvalue()


def color_of(label: str) -> tuple[int, int, int]:
    """The same color for the same class in every picture."""
    return COLORS[hashlib.sha256(label.encode()).digest()[0] % len(COLORS)]
