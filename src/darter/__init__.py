"""darter: from a folder of pictures to an accurate, small, fast CNN, on the computer you have.

    darter.load("model.onnx")     a Session that predicts; needs no PyTorch
    darter.train, darter.transfer, …     the rooms; each loads on first use

Rooms, from the ground floor up: errors, files, kernels, conv, picture, dataset, net, model,
transfer, train, doctor, bench, report, job, cli (docs/architecture.md).
"""

from importlib import import_module
from typing import Any

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
    "transfer",
    "train",
    "report",
    "job",
)
_NAMES = {"load": "darter.model"}

__all__ = ["__version__", *_NAMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return import_module(f"darter.{name}")
    raise AttributeError(f"module 'darter' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
