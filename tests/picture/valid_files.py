"""About three thousand valid TIFF, PNG and BMP files, with the pixels that a formula gives them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

SIZE = (7, 11)  # height and width: no whole bytes in a row of few bits
UPRIGHT = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a),
}  # fmt: skip


@dataclass(frozen=True)
class Valid:
    """One file. pixels: (H, W, 3), upright, not rounded.   off: what a pixel may differ.

    value_range: what to read it with.   unread: why Pillow, and so darter, does not read it.
    """

    name: str
    content: bytes
    pixels: np.ndarray = field(repr=False)
    off: float = 0.5
    value_range: tuple[float, float] | None = None
    unread: str = ""


def numbers(bits: int, channels: int = 1, seed: int = 0, size: tuple = SIZE) -> np.ndarray:
    """(H, W, channels) of whole numbers, with the least, the largest and runs of equal ones."""
    values = np.random.default_rng(seed).integers(0, 1 << bits, (*size, channels))
    values[1, 2:7] = values[1, 2]
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    return values


def shares(values: np.ndarray, bits: int) -> np.ndarray:
    """0 to the largest number of so many bits as 0 to 255."""
    return values * 255 / ((1 << bits) - 1)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, 3, axis=2)


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return (rgb * alpha + 255 * (255 - alpha)) / 255


def valid_files() -> Iterator[Valid]:
    from tests.picture.valid_bmps import bmps
    from tests.picture.valid_pngs import pngs
    from tests.picture.valid_tiffs import tiffs

    yield from tiffs()
    yield from pngs()
    yield from bmps()
