"""TIFF: photometric x bits x alpha, each in every byte order, arrangement and compression."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.picture.raw_files import tiff_of
from tests.picture.tiff_codecs import (
    DEFLATE,
    FLOAT,
    HORIZONTAL,
    LZW,
    NONE,
    OLD_DEFLATE,
    PACKBITS,
)
from tests.picture.valid_files import SIZE, UPRIGHT, Valid, grey, numbers, on_white, shares

UNASSOCIATED, ASSOCIATED, UNSPECIFIED = 2, 1, 0
CODECS = (
    *((NONE, 1), (PACKBITS, 1), (OLD_DEFLATE, 1)),
    *((LZW, 1), (LZW, HORIZONTAL), (DEFLATE, 1), (DEFLATE, HORIZONTAL)),
)
NAMES = {NONE: "raw", PACKBITS: "packbits", OLD_DEFLATE: "deflate-old", LZW: "lzw", DEFLATE: "zip"}


@dataclass(frozen=True)
class Kind:
    """What the numbers are. show: (H, W, channels) -> (H, W, 3) of 0 to 255, not rounded."""

    name: str
    bits: int
    photometric: int
    values: np.ndarray
    show: Callable[[np.ndarray], np.ndarray]
    extra: tuple[int, ...] = ()
    format: int = 1
    palette: np.ndarray | None = None
    off: float = 0.5
    value_range: tuple[float, float] | None = None


def kinds() -> Iterator[Kind]:
    yield from _greys()
    yield from _palettes()
    yield from _colors()
    yield from _measured()


def _greys() -> Iterator[Kind]:
    for bits, inverted in itertools.product((1, 2, 4, 8, 12, 16), (False, True)):
        size = (7, 12) if bits == 12 else SIZE  # Pillow wants whole bytes in each row

        def show(values: np.ndarray, bits=bits, inverted=inverted) -> np.ndarray:
            found = grey(shares(values, bits))
            return 255 - found if inverted else found

        name = f"grey{bits}{'-inverted' * inverted}"
        yield Kind(name, bits, 1 - inverted, numbers(bits, size=size), show)
    for extra in (UNSPECIFIED, UNASSOCIATED):

        def laid(values: np.ndarray, extra=extra) -> np.ndarray:
            shown = grey(values[:, :, :1])
            return on_white(shown, values[:, :, 1:]) if extra == UNASSOCIATED else shown

        off = 1.0 if extra else 0.5
        yield Kind(f"grey8-alpha{extra}", 8, 1, numbers(8, 2), laid, (extra,), off=off)


def _palettes() -> Iterator[Kind]:
    for bits in (1, 2, 4, 8):
        palette = np.random.default_rng(bits).integers(0, 256, (1 << bits, 3))

        def show(values: np.ndarray, palette=palette) -> np.ndarray:
            return palette[values[:, :, 0]]

        yield Kind(f"palette{bits}", bits, 3, numbers(bits), show, palette=palette * 257)


def _colors() -> Iterator[Kind]:
    for bits, extra in itertools.product((8, 16), ((), (0,), (1,), (2,))):
        values = numbers(bits, 3 + len(extra))
        if extra == (ASSOCIATED,):
            values[:, :, :3] = np.minimum(values[:, :, :3], values[:, :, 3:])

        def show(values: np.ndarray, bits=bits, extra=extra) -> np.ndarray:
            found = shares(values, bits)
            rgb, alpha = found[:, :, :3], found[:, :, 3:]
            if extra == (ASSOCIATED,):
                return rgb + 255 - alpha
            return on_white(rgb, alpha) if extra == (UNASSOCIATED,) else rgb

        off = 0.5 if extra in ((), (0,)) else 2.0  # Pillow multiplies and divides in 8 bits
        name = f"rgb{bits}" + "".join(f"-alpha{each}" for each in extra)
        yield Kind(name, bits, 2, values, show, extra, off=off)
    for bits in (8, 16):

        def inks(values: np.ndarray, bits=bits) -> np.ndarray:
            left = 255 - shares(values, bits)
            return left[:, :, :3] * left[:, :, 3:] / 255

        yield Kind(f"cmyk{bits}", bits, 5, numbers(bits, 4), inks, off=1.5)


def _measured() -> Iterator[Kind]:
    """Numbers whose black and white only a data set tells."""
    limits = {
        "float": (32, 3, -40.0, 900.0), "whole32": (32, 1, 0.0, 4e9),
        "signed32": (32, 2, -2e9, 2e9), "signed16": (16, 2, -3e4, 3e4),
        "signed8": (8, 2, -128.0, 127.0),
    }  # fmt: skip
    for name, (bits, form, least, largest) in limits.items():
        values = np.random.default_rng(0).uniform(least, largest, (*SIZE, 1))
        values = values.astype(np.float32) if form == 3 else np.rint(values)
        values[0, 0], values[-1, -1] = least, largest
        for inverted in (False, True):

            def show(values: np.ndarray, low=least, high=largest, inverted=inverted) -> np.ndarray:
                found = grey((values.astype(float) - low) / (high - low) * 255)
                return 255 - found if inverted else found

            label = name + "-inverted" * inverted
            known = (least, largest)
            yield Kind(label, bits, 1 - inverted, values, show, format=form, value_range=known)


def tiffs() -> Iterator[Valid]:
    orders = (("<", False), (">", False), ("<", True))
    number = 0
    for kind, (order, big), codec in itertools.product(kinds(), orders, _codecs()):
        many = kind.values.shape[2] > 1
        for planar, rows in itertools.product((False, True)[: 1 + many], ("all", 3, "tiles")):
            if _is_possible(kind, codec):
                number += 1
                turn = number % 8 + 1
                yield _written(kind, order, big, codec, planar, rows, turn)


def _codecs() -> Iterator[tuple[int, int]]:
    yield from CODECS
    yield DEFLATE, FLOAT


def _is_possible(kind: Kind, codec: tuple[int, int]) -> bool:
    if codec[1] == FLOAT:
        return kind.format == 3
    return codec[1] == 1 or (kind.bits in (8, 16, 32) and kind.format < 3)


def _written(kind: Kind, order: str, big: bool, codec: tuple, planar: bool, rows, turn: int):
    compression, predictor = codec
    turned = {274: ("H", turn.to_bytes(2, "little" if order == "<" else "big"))}
    content = tiff_of(
        kind.values, kind.bits, kind.photometric, order=order, planar=planar, extra=kind.extra,
        format=kind.format, palette=kind.palette, big=big, compression=compression,
        predictor=predictor, tiled=rows == "tiles", more=turned,
        rows_per_strip=rows if isinstance(rows, int) else None,
    )  # fmt: skip
    how = "+".join(["", "horizontal", "float"][predictor - 1 : predictor])
    name = "-".join(
        [
            "tiff", kind.name, "little" if order == "<" else "big", *["bigtiff"] * big,
            NAMES[compression] + how, *["planes"] * planar, f"rows:{rows}", f"turn{turn}",
        ]
    )  # fmt: skip
    off = kind.off
    if planar and kind.bits == 16 and compression != NONE:  # Pillow gives their upper 8 bits
        off += 1 + len(kind.extra)
    pixels = UPRIGHT[turn](kind.show(kind.values))
    unread = _unread(kind, order, compression, planar)
    return Valid(name, content, pixels, off, kind.value_range, unread)


def _unread(kind: Kind, order: str, compression: int, planar: bool) -> str:
    """Why Pillow does not read such a file."""
    if order == ">" and (kind.bits == 12 or (kind.bits, kind.format) == (32, 1)):
        return "its high bytes are first"
    if planar and kind.values.shape[2] == 2 and kind.extra == (UNASSOCIATED,):
        return "grey and alpha are in planes"
    if planar and compression == NONE and kind.bits == 8 and kind.extra in ((0,), (1,)):
        return "a channel that is no alpha of its own is in a plane"
    return ""
