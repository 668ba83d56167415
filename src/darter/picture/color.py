"""Transforms of color: each one composes into the frame's 3×7 color matrix.

The matrix acts on (r, g, b of a pixel, r, g, b of the picture's mean, 1), all in [0, 1]. Carrying
the mean as an input lets contrast turn around the picture's grey mean before the picture is read.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from darter.errors import OptionError
from darter.picture.frame import Frame, Matrix
from darter.picture.geometry import Draw, Transform, between
from darter.picture.ranges import Range, as_spread

LUMA = np.array((0.299, 0.587, 0.114))  # ITU-R BT.601, as Pillow's convert("L")
_TO_YIQ = np.array(((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)))
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


class Pixels(Protocol):
    """What `pca_noise` reads of a scan: the covariance (3, 3) of the training pixels in [0, 1]."""

    @property
    def covariance(self) -> Any: ...


def with_brightness(color: Matrix, factor: float) -> Matrix:
    """All channels times `factor`."""
    return color * factor


def with_contrast(color: Matrix, factor: float) -> Matrix:
    """Distances from the grey mean of the picture times `factor`."""
    grey = LUMA @ color
    grey[3:6] += grey[:3]  # of the mean, which has the same color everywhere
    grey[:3] = 0.0
    return factor * color + (1 - factor) * grey


def with_saturation(color: Matrix, factor: float) -> Matrix:
    """Distances of each pixel from its own grey times `factor`."""
    return factor * color + (1 - factor) * (LUMA @ color)


def with_hue(color: Matrix, turns: float) -> Matrix:
    """Turn the chroma plane of YIQ; grey pixels and every pixel's luma stay."""
    return hue_matrix(turns) @ color


def hue_matrix(turns: float) -> Matrix:
    """(3, 3) matrix on (r, g, b); positive `turns` go from red to green, 1 is a full circle."""
    cos, sin = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    turn = np.array(((1, 0, 0), (0, cos, sin), (0, -sin, cos)))  # YIQ runs against the color wheel
    return _FROM_YIQ @ turn @ _TO_YIQ


def with_added(color: Matrix, rgb: Matrix) -> Matrix:
    """The same (r, g, b) added to every pixel."""
    added = color.copy()
    added[:, 6] += rgb
    return added


def principal_components(covariance: ArrayLike) -> tuple[Matrix, Matrix]:
    """Eigenvectors P (3, 3), one a column, and eigenvalues (3,) of the colors' covariance."""
    eigenvalues, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return vectors, np.maximum(eigenvalues, 0.0)


@dataclass(frozen=True)
class jitter(Transform):
    """Random brightness, contrast, saturation and hue, in this order.

    A number s means factors in [1 - s, 1 + s] (hue: turns in [-s, s]); a pair is used as it is.
    """

    brightness: float | Range = 0.0
    contrast: float | Range = 0.0
    saturation: float | Range = 0.0
    hue: float | Range = 0.0
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        for option in ("brightness", "contrast", "saturation"):
            spread = as_spread("jitter", option, getattr(self, option), 1.0, 0.0, 10.0)
            self._set(option, spread)
        self._set("hue", as_spread("jitter", "hue", self.hue, 0.0, -0.5, 0.5))

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        for name, change in _JITTERS.items():
            ends: Range = getattr(self, name)
            if ends[0] == ends[1] == (0.0 if name == "hue" else 1.0):
                continue
            value = between(draw, ends)
            frame.color = change(frame.color, value)
            frame.steps.append(f"{name} {value:.3f}")


_JITTERS = {
    "brightness": with_brightness,
    "contrast": with_contrast,
    "saturation": with_saturation,
    "hue": with_hue,
}


@dataclass(frozen=True)
class pca_noise(Transform):
    """AlexNet's color noise: add P (α ∘ λ) to every pixel, α_i ~ N(0, std²) once per picture.

    P and λ are eigenvectors and eigenvalues of the covariance of the training pixels in [0, 1].
    scale: "eigenvalue" adds α_i λ_i along p_i; "stdev" adds α_i √λ_i, as AlexNet's code does.
    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks".
    """

    std: float = 0.1
    scale: str = "eigenvalue"
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_number("std", 0, 10)
        if self.scale not in ("eigenvalue", "stdev"):
            raise OptionError(
                f'pca_noise: scale must be "eigenvalue" or "stdev", got {self.scale!r}'
            )

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        vectors, eigenvalues = frame.components()
        alpha = draw.standard_normal(3) * self.std
        length = eigenvalues if self.scale == "eigenvalue" else np.sqrt(eigenvalues)
        added = vectors @ (alpha * length)
        frame.color = with_added(frame.color, added)
        frame.steps.append("pca noise ({:.4f}, {:.4f}, {:.4f})".format(*added))
