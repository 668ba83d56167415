"""Mean and covariance of pixel colors, mergeable: one pass, any order, any number of threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

SAMPLED_PIXELS = 1024  # per picture, so that a large picture does not count more than a small one


@dataclass(frozen=True)
class PixelStatistics:
    """Statistics of RGB values in [0, 1].

    mean: float64 (3,).   covariance: float64 (3, 3), of the whole population.   count: pixels.
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int

    @staticmethod
    def of(pixels: np.ndarray) -> "PixelStatistics":
        """Of about SAMPLED_PIXELS pixels on a regular grid of a uint8 (H, W, 3) picture."""
        height, width = pixels.shape[:2]
        step = max(1, int((height * width / SAMPLED_PIXELS) ** 0.5))
        top, left = min(step, height) // 2, min(step, width) // 2
        values = pixels[top::step, left::step].reshape(-1, 3) / 255.0
        mean = values.mean(axis=0)
        centered = values - mean
        return PixelStatistics(mean, centered.T @ centered / len(values), len(values))

    @staticmethod
    def merge(parts: Iterable["PixelStatistics"]) -> "PixelStatistics":
        """Statistics of all pixels of all parts together."""
        listed = [part for part in parts if part.count]
        if not listed:
            return PixelStatistics(np.zeros(3), np.zeros((3, 3)), 0)
        counts = np.array([part.count for part in listed], dtype=np.float64)
        means = np.stack([part.mean for part in listed])
        covariances = np.stack([part.covariance for part in listed])
        weights = counts / counts.sum()
        mean = weights @ means
        spread = means - mean
        within = np.tensordot(weights, covariances, axes=1)
        between = (spread * weights[:, None]).T @ spread
        return PixelStatistics(mean, within + between, int(counts.sum()))

    def to_dict(self) -> dict:
        return {
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "count": self.count,
        }

    @staticmethod
    def from_dict(record: dict) -> "PixelStatistics":
        mean, covariance = np.array(record["mean"]), np.array(record["covariance"])
        return PixelStatistics(mean, covariance, record["count"])


class HasPixels(Protocol):
    @property
    def pixels(self) -> PixelStatistics: ...


def pixel_statistics(pictures: Iterable[HasPixels]) -> PixelStatistics:
    """Statistics of all these pictures, gathered during the scan; pass the training ones only."""
    return PixelStatistics.merge(picture.pixels for picture in pictures)
