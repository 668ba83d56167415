"""The output of a graph that holds one score per class, and how it came about."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.model.signature import Output, Signature
from darter.net import Node, nodes_of

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_CLASSES = 100_000  # more is a damaged file
LEAST_PROBABILITY = 1e-30  # for the logarithm of an output that is exactly 0
PASSES = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze")  # keep the values


@dataclass(frozen=True)
class Scores:
    """output: its name.   classes: how many, None where the file does not say.
    last: the operation that made the values, "" where none did."""

    output: str
    classes: int | None
    last: str

    @property
    def task(self) -> str:
        """What a graph that ends so was made for, see `darter.model.TASKS`."""
        return "multilabel" if self.last == "Sigmoid" else "classify"

    def logits(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output for N pictures as (N, classes), before any Softmax or Sigmoid.

        After a Softmax the logarithms, so that softmax(logits) is the net's own answer; after a
        Sigmoid its inverse. Raises ModelFileError if the output has another form.
        """
        count = len(output) if output.ndim else 0
        if output.ndim < 2 or output.size != count * output.shape[1]:
            raise ModelFileError(f"output must be (N, classes); got {output.shape}")
        rows, least = output.reshape(count, output.shape[1]), np.float32(LEAST_PROBABILITY)
        if self.last == "Softmax":
            return np.log(np.maximum(rows, least))
        if self.last == "Sigmoid":
            return np.log(np.maximum(rows, least)) - np.log(np.maximum(1 - rows, least))
        return rows


def read_scores(model: "ModelProto", signature: Signature) -> Scores:
    """The first output that is (N, classes); else with 1×1 pixels; else of no said shape.

    Raises ModelFileError, with what the graph gives instead, if there is none.
    """
    for fits in (_is_rows, _is_pixel, _is_open):
        for output in filter(fits, signature.outputs):
            found = Scores(
                output.name,
                output.shape[1] if output.shape else None,
                _last(nodes_of(model), output.name),
            )
            _check_classes(found)
            return found
    given = ", ".join(map(str, signature.outputs))
    raise ModelFileError(
        f"no output is (N, classes), it gives {given}: not a classifier of whole pictures; "
        "`darter.load(…).run` gives what it computes"
    )


def _check_classes(scores: Scores) -> None:
    if scores.classes == 1 and scores.task == "classify":
        raise ModelFileError("has 1 output; a classifier has one per class, 2 or more")
    if (scores.classes or 0) > MOST_CLASSES:
        raise ModelFileError(
            f"its number of classes is {scores.classes}, above darter's limit of {MOST_CLASSES}"
        )


def _is_rows(output: Output) -> bool:
    return output.shape is not None and len(output.shape) == 2 and not output.whole


def _is_pixel(output: Output) -> bool:
    shape = output.shape
    return shape is not None and len(shape) == 4 and shape[2:] == (1, 1) and not output.whole


def _is_open(output: Output) -> bool:
    return output.shape is None and not output.whole


def _last(nodes: list[Node], output: str) -> str:
    makers = {name: node for node in nodes for name in node.outputs}
    for _ in range(len(makers) + 1):
        node = makers.pop(output, None)
        if node is None:
            return ""
        if node.op not in PASSES or not node.inputs:
            return node.op
        output = node.inputs[0]
    return ""
