"""How to run a whole net: load a model file, predict, evaluate; needs no PyTorch."""

from darter.model.evaluate import Evaluation, Judged, evaluate, evaluate_as, evaluate_samples
from darter.model.info import Calibration, ModelInfo, read_info, write_info
from darter.model.metrics import (
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
from darter.model.multilabel_evaluation import MultilabelEvaluation, evaluate_multilabel
from darter.model.prediction import Prediction
from darter.model.runtime import Runtime, runtime_of
from darter.model.session import Session, load
from darter.model.signature import Signature, read_signature
from darter.model.tasks import TASKS, Classify, Multilabel, Task, get_task

__all__ = [
    "TASKS",
    "Calibration",
    "ClassScore",
    "Classify",
    "Evaluation",
    "Judged",
    "ModelInfo",
    "Multilabel",
    "MultilabelEvaluation",
    "Prediction",
    "ReliabilityBin",
    "Runtime",
    "Session",
    "Signature",
    "Task",
    "choose_unknown_threshold",
    "confusion_matrix",
    "coverage",
    "evaluate",
    "evaluate_as",
    "evaluate_multilabel",
    "evaluate_samples",
    "expected_calibration_error",
    "fit_temperature",
    "get_task",
    "load",
    "per_class",
    "read_info",
    "read_signature",
    "reliability",
    "runtime_of",
    "softmax",
    "wilson",
    "write_info",
]
