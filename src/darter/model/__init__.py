"""How to run a whole net: load a model file, predict, evaluate; needs no PyTorch."""

from darter.model.analyze import analyze_file, graph_of, look_of
from darter.model.average import logits_of, mean_logits, probabilities, shares
from darter.model.confidence import (
    CalibrationError,
    ReliabilityBin,
    calibration_error,
    choose_unknown_threshold,
    coverage,
    fit_temperature,
    reliability,
)
from darter.model.curves import PrecisionRecall, every_precision_recall, threshold_curve
from darter.model.evaluate import Evaluation, Judged, evaluate, evaluate_as, evaluate_samples
from darter.model.info import Calibration, ModelInfo, Over, model_file, read_info, write_info
from darter.model.metrics import (
    ClassScore,
    Majority,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    majority,
    per_class,
    softmax,
    wilson,
)
from darter.model.multilabel_evaluation import MultilabelEvaluation, evaluate_multilabel
from darter.model.over import Averaging, averaging
from darter.model.pixels import PixelsProof, export_with_preprocessing, with_preprocessing
from darter.model.predict import stream_logits
from darter.model.prediction import Prediction, Predictions
from darter.model.runtime import Runtime, runtime_of
from darter.model.session import Session, load
from darter.model.signature import Signature, read_signature
from darter.model.tasks import TASKS, Classify, Multilabel, Task, get_task

__all__ = [
    "TASKS",
    "Averaging",
    "Calibration",
    "CalibrationError",
    "ClassScore",
    "Classify",
    "Evaluation",
    "Judged",
    "Majority",
    "ModelInfo",
    "Multilabel",
    "MultilabelEvaluation",
    "Over",
    "PixelsProof",
    "PrecisionRecall",
    "Prediction",
    "Predictions",
    "ReliabilityBin",
    "Runtime",
    "Session",
    "Signature",
    "Task",
    "analyze_file",
    "averaging",
    "balanced_accuracy",
    "calibration_error",
    "choose_unknown_threshold",
    "confusion_matrix",
    "coverage",
    "evaluate",
    "evaluate_as",
    "evaluate_multilabel",
    "evaluate_samples",
    "every_precision_recall",
    "export_with_preprocessing",
    "fit_temperature",
    "get_task",
    "graph_of",
    "load",
    "logits_of",
    "look_of",
    "macro_f1",
    "majority",
    "mean_logits",
    "model_file",
    "per_class",
    "probabilities",
    "read_info",
    "read_signature",
    "reliability",
    "runtime_of",
    "shares",
    "softmax",
    "stream_logits",
    "threshold_curve",
    "wilson",
    "with_preprocessing",
    "write_info",
]
