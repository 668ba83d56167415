"""How to run a whole net: load a model file, predict, evaluate; needs no PyTorch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darter.model.average import logits_of, mean_logits, probabilities, shares
from darter.model.calibrate import limit_of_mean, recalibrated, with_calibration
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
from darter.model.evaluate import (
    Evaluation,
    Judged,
    answers_of,
    evaluate,
    evaluate_as,
    evaluate_samples,
)
from darter.model.info import (
    Calibration,
    ModelInfo,
    Over,
    model_file,
    read_info,
    task_of_file,
    write_info,
)
from darter.model.metrics import (
    ClassScore,
    Majority,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    majority,
    paired_interval,
    per_class,
    softmax,
    wilson,
)
from darter.model.multilabel_evaluation import MultilabelEvaluation, evaluate_multilabel
from darter.model.over import Averaging, averaging
from darter.model.predict import stream_logits
from darter.model.prediction import Prediction, Predictions
from darter.model.runtime import Runtime, runtime_of, runtimes_of
from darter.model.session import DRAWS, NOVELTY, Session, load, other_task
from darter.model.signature import Signature, read_signature
from darter.model.tasks import OTHERS, TASKS, Classify, Multilabel, Task, check_task, get_task
from darter.model.timing import in_turns

if TYPE_CHECKING:  # what a first answer does not need loads when it is asked for
    from darter.model.analyze import analyze_file, graph_of, look_of
    from darter.model.captions import (
        END,
        PAD,
        START,
        UNKNOWN,
        Caption,
        Captioner,
        CaptionEvaluation,
        Vocabulary,
        ciders,
        compare_sentences,
        corpus_bleu,
        evaluate_captions,
        judge_sentences,
        load_captioner,
        rouge_l,
        words_of,
    )
    from darter.model.detection import (
        OVERLAP,
        DetectionEvaluation,
        Detections,
        Detector,
        Found,
        Matches,
        Runs,
        Truth,
        best_thresholds,
        coco_results,
        color_of,
        counts_at,
        draw_boxes,
        drawn,
        evaluate_detector,
        foreign_detector,
        load_detector,
        marks_of,
        match,
        match_arrays,
        mistakes_of,
        precision_recall_at,
        wrong_boxes,
    )
    from darter.model.detection.suppress import suppress
    from darter.model.pixels import PixelsProof, export_with_preprocessing, with_preprocessing

__all__ = [
    "DRAWS",
    "END",
    "NOVELTY",
    "OTHERS",
    "OVERLAP",
    "PAD",
    "START",
    "TASKS",
    "UNKNOWN",
    "Averaging",
    "Calibration",
    "CalibrationError",
    "Caption",
    "CaptionEvaluation",
    "Captioner",
    "ClassScore",
    "Classify",
    "DetectionEvaluation",
    "Detections",
    "Detector",
    "Evaluation",
    "Found",
    "Judged",
    "Majority",
    "Matches",
    "ModelInfo",
    "Multilabel",
    "MultilabelEvaluation",
    "Over",
    "PixelsProof",
    "PrecisionRecall",
    "Prediction",
    "Predictions",
    "ReliabilityBin",
    "Runs",
    "Runtime",
    "Session",
    "Signature",
    "Task",
    "Truth",
    "Vocabulary",
    "analyze_file",
    "answers_of",
    "averaging",
    "balanced_accuracy",
    "best_thresholds",
    "calibration_error",
    "check_task",
    "choose_unknown_threshold",
    "ciders",
    "coco_results",
    "color_of",
    "compare_sentences",
    "confusion_matrix",
    "corpus_bleu",
    "counts_at",
    "coverage",
    "draw_boxes",
    "drawn",
    "evaluate",
    "evaluate_as",
    "evaluate_captions",
    "evaluate_detector",
    "evaluate_multilabel",
    "evaluate_samples",
    "every_precision_recall",
    "export_with_preprocessing",
    "fit_temperature",
    "foreign_detector",
    "get_task",
    "graph_of",
    "in_turns",
    "judge_sentences",
    "limit_of_mean",
    "load",
    "load_captioner",
    "load_detector",
    "logits_of",
    "look_of",
    "macro_f1",
    "majority",
    "marks_of",
    "match",
    "match_arrays",
    "mean_logits",
    "mistakes_of",
    "model_file",
    "other_task",
    "paired_interval",
    "per_class",
    "precision_recall_at",
    "probabilities",
    "read_info",
    "read_signature",
    "recalibrated",
    "reliability",
    "rouge_l",
    "runtime_of",
    "runtimes_of",
    "shares",
    "softmax",
    "stream_logits",
    "suppress",
    "task_of_file",
    "threshold_curve",
    "wilson",
    "with_calibration",
    "with_preprocessing",
    "words_of",
    "write_info",
    "wrong_boxes",
]

_LATER = ("analyze", "captions", "detection", "pixels")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for part in _LATER:
            module = import_module(f"darter.model.{part}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'darter.model' has no attribute {name!r}")
