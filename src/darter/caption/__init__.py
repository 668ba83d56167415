"""Caption models: CNN features into an LSTM that looks at parts of the picture and writes words.

grids = grid_features(backbone, pictures, preprocess)
model = Captioning(backbone, grids.shape[2], len(vocabulary.words), length)
fitted = fit(model, strategy, recipe, train, val, RUN, …, kind=CaptionTraining)
parity = export(fitted.model, RUN / "model.onnx", info, pictures)
"""

from darter.caption.export import CaptionParity, export
from darter.caption.features import grid_features
from darter.caption.nets import Captioning, Retrieval
from darter.caption.training import (
    CaptionExamples,
    CaptionTraining,
    length_of,
    make_retrieval,
    sentences_of,
    settle,
)

__all__ = [
    "CaptionExamples",
    "CaptionParity",
    "CaptionTraining",
    "Captioning",
    "Retrieval",
    "export",
    "grid_features",
    "length_of",
    "make_retrieval",
    "sentences_of",
    "settle",
]
