"""What is found in pictures: the answer, its doubles, its worth."""

from darter.model.detection.average_precision import Matches, Truth, match, match_arrays
from darter.model.detection.counting import best_thresholds, counts_at, precision_recall_at
from darter.model.detection.detector import Detector, Runs, load_detector
from darter.model.detection.draw import (
    color_of,
    draw_boxes,
    drawn,
    marks_of,
    mistakes_of,
    wrong_boxes,
)
from darter.model.detection.evaluate import DetectionEvaluation, evaluate_detector
from darter.model.detection.foreign import foreign_detector
from darter.model.detection.found import Detections, Found, coco_results
from darter.model.detection.suppress import OVERLAP, suppress

__all__ = [
    "OVERLAP",
    "DetectionEvaluation",
    "Detections",
    "Detector",
    "Found",
    "Matches",
    "Runs",
    "Truth",
    "best_thresholds",
    "coco_results",
    "color_of",
    "counts_at",
    "draw_boxes",
    "drawn",
    "evaluate_detector",
    "foreign_detector",
    "load_detector",
    "marks_of",
    "match",
    "match_arrays",
    "mistakes_of",
    "precision_recall_at",
    "suppress",
    "wrong_boxes",
]
