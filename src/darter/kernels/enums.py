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
FLOAT32, BFLOAT16 = Precision.float32.name, Precision.bfloat16.name
PRECISIONS = FLOAT32, BFLOAT16
GEMM_ALGORITHMS = {each.name.replace("_", "-"): each for each in GemmAlgorithm}

Activated = tuple[ActivationKind, float, float]  # and the parameters of `darter.net.ops.Activation`
NO_ACTIVATION: Activated = (ActivationKind.none, 0.0, 0.0)

__all__ = [
    "BFLOAT16",
    "BORDERS",
    "FLOAT32",
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
