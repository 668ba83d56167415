"""Detectors: nets that say what is where in a picture, trained from pretrained backbones.

model = OneStage(zoo.load(), classes=3, sides=(320, 416))
fitted = fit(model, strategy, recipe, train, val, RUN, …, kind=DetectorTraining)
parity = export(fitted.model, RUN / "model.onnx", info, pictures)
"""

from darter.detect.detector_net import DetectorNet
from darter.detect.export import DetectorParity, append_suppression, export
from darter.detect.onestage import OneStage
from darter.detect.training import (
    MOSAIC,
    BoxExamples,
    DetectorTraining,
    candidates_to_rows,
    input_sides,
    make_preprocess,
    settle,
    settle_overlaps,
    truths_of,
)
from darter.detect.twostage import FasterRCNN

DETECTORS: dict[str, type[DetectorNet]] = {
    kind.strategy.name: kind for kind in (OneStage, FasterRCNN)
}

__all__ = [
    "DETECTORS",
    "MOSAIC",
    "BoxExamples",
    "DetectorNet",
    "DetectorParity",
    "DetectorTraining",
    "FasterRCNN",
    "OneStage",
    "append_suppression",
    "candidates_to_rows",
    "export",
    "input_sides",
    "make_preprocess",
    "settle",
    "settle_overlaps",
    "truths_of",
]
