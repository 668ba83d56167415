"""Enumerations of the compiled core, as it defines them, and the names that users give."""

from darter.kernels._core import (
    ActivationKind,
    Border,
    Element,
    GemmAlgorithm,
    Precision,
    RecurrenceKind,
    Where,
)

BORDERS = tuple(border.name for border in Border)
PRECISIONS = tuple(precision.name for precision in Precision)
GEMM_ALGORITHMS = {each.name.replace("_", "-"): each for each in GemmAlgorithm}

Activated = tuple[ActivationKind, float, float]  # and the parameters of `darter.net.ops.Activation`
NO_ACTIVATION: Activated = (ActivationKind.none, 0.0, 0.0)

__all__ = [
    "BORDERS",
    "GEMM_ALGORITHMS",
    "NO_ACTIVATION",
    "PRECISIONS",
    "Activated",
    "ActivationKind",
    "Border",
    "Element",
    "GemmAlgorithm",
    "Precision",
    "RecurrenceKind",
    "Where",
]
