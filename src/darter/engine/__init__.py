"""How to run a whole net: load a model file, predict, evaluate; needs no PyTorch."""

from darter.engine.evaluate import Evaluation, evaluate, evaluate_samples
from darter.engine.info import Calibration, ModelInfo, read_info, write_info
from darter.engine.metrics import (
    ClassScore,
    ReliabilityBin,
    choose_unknown_threshold,
    confusion_matrix,
    coverage,
    expected_calibration_error,
    fit_temperature,
    per_class,
    reliability,
    softmax,
    wilson,
)
from darter.engine.predict import Prediction
from darter.engine.runtime import Runtime, runtime_of
from darter.engine.session import Session, load

__all__ = [
    "Calibration",
    "ClassScore",
    "Evaluation",
    "ModelInfo",
    "Prediction",
    "ReliabilityBin",
    "Runtime",
    "Session",
    "choose_unknown_threshold",
    "confusion_matrix",
    "coverage",
    "evaluate",
    "evaluate_samples",
    "expected_calibration_error",
    "fit_temperature",
    "load",
    "per_class",
    "read_info",
    "reliability",
    "runtime_of",
    "softmax",
    "wilson",
    "write_info",
]
