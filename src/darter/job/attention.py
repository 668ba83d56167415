"""Where a caption model looked for each of its words, drawn for the page."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from darter.caption import Captioning
from darter.files import write_atomic
from darter.model import Vocabulary, words_of
from darter.picture import Preprocess
from darter.train import overlay, positions

SIDE = 120  # pixels of the longer side of each picture
LINE = 18  # of the word below it
MOST = 16  # words


def draw_attention(
    model: Captioning,
    vocabulary: Vocabulary,
    grid: NDArray[np.float16],
    sentence: str,
    pixels: NDArray[np.uint8],
    preprocess: Preprocess,
    path: Path,
) -> None:
    """Write a JPEG with the picture once for every word of the sentence, the word below it.

    grid: (L, channels), what the backbone sees in the picture.
    """
    words = words_of(sentence)[:MOST]
    maps = attention_maps(model, grid, vocabulary.numbers(sentence, len(words)))[: len(words)]
    height, width = pixels.shape[:2]
    warp = preprocess.warp((width, height))
    from PIL import Image

    shrink = SIDE / max(width, height)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    seen = positions(size, (width, height), warp)
    shown = [overlay(small, heat, seen) for heat in maps]
    write_atomic(path, _strip(shown, words))


@torch.no_grad()
def attention_maps(
    model: Captioning, grid: NDArray[np.float16], numbers: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(words, h, w): how much each part of the picture weighed for each word, the most as 1.

    numbers: START, the words, and what follows. The grid is as many positions high as wide.
    """
    weights = model.head.looks(
        torch.from_numpy(grid[None].astype(np.float32)), torch.from_numpy(numbers[None])
    )[0]
    side = round(weights.shape[1] ** 0.5)
    maps = weights.reshape(len(weights), side, side).numpy()
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)


def _strip(shown: Sequence[NDArray[np.uint8]], words: Sequence[str]) -> bytes:
    """Pictures of one size side by side, as a JPEG."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = shown[0].shape[:2]
    image: Any = Image.new("RGB", (len(shown) * (width + 4) - 4, height + LINE), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=13)
    for number, (pixels, word) in enumerate(zip(shown, words, strict=True)):
        left = number * (width + 4)
        image.paste(Image.fromarray(pixels), (left, 0))
        draw.text((left + width / 2, height + 1), word, fill="black", font=font, anchor="ma")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()
