"""Affine quantization of one tensor: x is about (q - zero) * scale, with q a whole number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 255  # steps between the least and the largest of 256 numbers
LEAST_SCALE = 1e-8  # below it a tensor is 0 for every purpose of a net


@dataclass(frozen=True)
class Range:
    """What an activation's numbers are kept within; what lies outside saturates."""

    low: float
    high: float

    def steps(self) -> "Steps":
        """Unsigned 8 bits over the range, widened to hold 0, which is kept exactly."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        scale = np.float32(max((high - low) / LEVELS, LEAST_SCALE))
        zero = int(np.clip(round(-low / float(scale)), 0, LEVELS))
        return Steps(float(scale), zero)

    def union(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class Steps:
    """scale: of one step (a float32 number).   zero: the whole number, 0 to 255, that is 0."""

    scale: float
    zero: int

    @property
    def low(self) -> float:
        return -self.zero * self.scale

    @property
    def high(self) -> float:
        return (LEVELS - self.zero) * self.scale

    def rounded(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """x as the quantized net sees it."""
        q = np.clip(np.rint(x / np.float32(self.scale)) + self.zero, 0, LEVELS)
        return ((q - self.zero) * np.float32(self.scale)).astype(np.float32)
