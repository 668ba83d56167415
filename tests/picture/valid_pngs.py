"""PNG: kind of color x depth x transparent color, each with every filter, interlaced or not."""

import itertools
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from tests.picture.raw_files import chunk, packed
from tests.picture.valid_files import UPRIGHT, Valid, grey, numbers, on_white, shares

GREY, COLOR, PALETTE, GREY_ALPHA, COLOR_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, COLOR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOR_ALPHA: 4}
DEPTHS = {
    GREY: (1, 2, 4, 8, 16), COLOR: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16),
    COLOR_ALPHA: (8, 16),
}  # fmt: skip
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # fmt: skip
MIXED = 5  # a filter of its own for each row


def pngs() -> Iterator[Valid]:
    number = 0
    for kind, depths in DEPTHS.items():
        marks = (False, True) if kind in (GREY, COLOR, PALETTE) else (False,)
        for bits, marked, interlaced in itertools.product(depths, marks, (False, True)):
            for filtered, parts in itertools.product(range(MIXED + 1), (1, 3)):
                number += 1
                yield _written(kind, bits, marked, interlaced, filtered, parts, number % 8 + 1)


def _written(
    kind: int, bits: int, marked: bool, interlaced: bool, filtered: int, parts: int, turn: int
) -> Valid:
    values = numbers(bits, CHANNELS[kind], seed=kind)
    rng = np.random.default_rng(bits)
    palette, alpha = rng.integers(0, 256, (1 << bits, 3)), rng.integers(0, 256, 1 << bits)
    transparent = tuple(values[2, 3].tolist())
    if bits == 16 and kind in (GREY, COLOR):  # equal in the upper bytes alone
        values[3, 3] = values[2, 3] ^ 1
    chunks = chunk(b"eXIf", _orientation(turn))
    if kind == PALETTE:
        chunks += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        shown = palette[values[:, :, 0]].astype(float)
        if marked:
            chunks += chunk(b"tRNS", alpha.astype(np.uint8).tobytes())
            shown = on_white(shown, alpha[values])
    else:
        scaled = shares(values, bits)
        has_alpha = kind in (GREY_ALPHA, COLOR_ALPHA)
        shown = grey(scaled[:, :, :1]) if CHANNELS[kind] < 3 else scaled[:, :, :3]
        if has_alpha:
            shown = on_white(shown, scaled[:, :, -1:])
        if marked:
            chunks += chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
            shown = np.where((values == transparent).all(axis=2, keepdims=True), 255, shown)
    packed_rows = zlib.compress(_rows(values, bits, interlaced, filtered))
    cuts = np.linspace(0, len(packed_rows), parts + 1).astype(int)
    for begin, end in itertools.pairwise(cuts):
        chunks += chunk(b"IDAT", packed_rows[begin:end])
    height, width = values.shape[:2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))
    content = b"\x89PNG\r\n\x1a\n" + head + chunks + chunk(b"IEND", b"")
    name = (
        f"png-kind{kind}-{bits}{'-marked' * marked}{'-interlaced' * interlaced}"
        f"-filter{filtered}-parts{parts}-turn{turn}"
    )
    off = 1.5 if kind in (GREY_ALPHA, COLOR_ALPHA, PALETTE) else 0.5  # Pillow's rounding on white
    return Valid(name, content, UPRIGHT[turn](shown), off)


def _orientation(turn: int) -> bytes:
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, turn, 0, 0)


def _rows(values: np.ndarray, bits: int, interlaced: bool, filtered: int) -> bytes:
    images = [values]
    if interlaced:
        images = [values[y::down, x::across] for x, y, across, down in ADAM7]
    return b"".join(_filtered(image, bits, filtered) for image in images if image.size)


def _filtered(values: np.ndarray, bits: int, filtered: int) -> bytes:
    height, _, channels = values.shape
    rows = np.frombuffer(packed(values.reshape(height, -1), bits), np.uint8).reshape(height, -1)
    step = max(1, bits * channels // 8)
    above, found = np.zeros_like(rows[0]), bytearray()
    for number, row in enumerate(rows):
        kind = number % 5 if filtered == MIXED else filtered
        left, corner = (np.concatenate((np.zeros(step, np.uint8), r[:-step])) for r in (row, above))
        guess = _guess(kind, *(each[: len(row)].astype(int) for each in (left, above, corner)))
        found += bytes((kind,)) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    return bytes(found)


def _guess(kind: int, left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """None, Sub, Up, Average, Paeth. Source: PNG specification, section 9."""
    if kind == 4:
        near = left + above - corner
        a, b, c = (abs(near - each) for each in (left, above, corner))
        return np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
    return (0 * left, left, above, (left + above) // 2)[kind]
