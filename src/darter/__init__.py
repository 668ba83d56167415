"""darter: from a folder of pictures to an accurate, small, fast CNN, on the computer you have.

    run = darter.fit("photos/", time="10m")      train; run.model, run.report, run.evaluate(folder)
    model = darter.load("model.onnx")            a Session that predicts; needs no PyTorch
    model(["a.jpg", "b.jpg"])                    what is in these pictures
    darter.audit("photos/")                      what is wrong with the pictures
    darter.evaluate("model.onnx", "labelled/")   how good a model is
    darter.train, darter.transfer, …             the rooms; each loads on first use

Rooms, from the ground floor up: errors, files, kernels, conv, picture, dataset, net, model,
noise, transfer, train, doctor, bench, report, job, api, cli (docs/architecture.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darter.api import Run, audit, evaluate, fit
    from darter.model import load

__version__ = "0.1.0"

_ROOMS = (
    "errors",
    "files",
    "kernels",
    "conv",
    "picture",
    "dataset",
    "net",
    "model",
    "noise",
    "transfer",
    "train",
    "report",
    "job",
)
_NAMES = {
    "Run": "darter.api",
    "audit": "darter.api",
    "evaluate": "darter.api",
    "fit": "darter.api",
    "load": "darter.model",
}

__all__ = ["Run", "__version__", "audit", "evaluate", "fit", "load", *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return import_module(f"darter.{name}")
    raise AttributeError(f"module 'darter' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
