"""Model file -> the graph that is planned and run: read, translate, improve."""

from dataclasses import replace

import numpy as np

from darter.errors import DarterError, ShapeError, UnsupportedError
from darter.net.budget import Budget, enough_memory
from darter.net.collector import collector_at_rest
from darter.net.graph import Graph, needed
from darter.net.infer import multiply_adds
from darter.net.onnx.modelfile import ModelFile
from darter.net.onnx.reader import read_graph
from darter.net.passes import improve
from darter.net.translate import translate


def build(
    model: ModelFile,
    name: str,
    picture: tuple[int, ...],
    outputs: tuple[str, ...],
    *,
    written: int | None = None,
) -> Graph:
    """The graph of `ops.OPS` that computes outputs of a file for pictures of one size.

    name: of the input.   picture: its shape without the number of pictures.
    written: the number of pictures that the file insists on; it is not kept, if possible.
    Raises UnsupportedError, which lists every node that darter cannot run, ModelFileError or
    ShapeError; each begins with the file's name.
    """
    return _built(model, name, picture, outputs, written, improved=True)[1]


def understood(
    model: ModelFile,
    name: str,
    picture: tuple[int, ...],
    outputs: tuple[str, ...],
    *,
    written: int | None = None,
) -> tuple[Graph, Graph]:
    """The graph as the file has it, and as it is translated, before anything is fused.

    Arguments and errors as for `build`. Nodes have the same names in both.
    """
    return _built(model, name, picture, outputs, written, improved=False)


def _built(
    model: ModelFile,
    name: str,
    picture: tuple[int, ...],
    outputs: tuple[str, ...],
    written: int | None,
    *,
    improved: bool,
) -> tuple[Graph, Graph]:
    try:
        with enough_memory("this net"), collector_at_rest():
            read = read_graph(model.proto, model.path.parent, model.raw)
            read = needed(replace(read, outputs=outputs))  # what nobody asked for need not run
            budget = Budget(sum(array.nbytes for array in read.weights.values()))
            with np.errstate(all="ignore"):  # a damaged file's weights may be anything
                graph = _translated(read, name, picture, outputs, written, budget)
                graph = improve(graph, budget) if improved else graph
            budget.check_work(multiply_adds(graph))
            return read, graph
    except DarterError as error:
        raise type(error)(f"{model.path}: {error}") from None


def _translated(
    read: Graph,
    name: str,
    picture: tuple[int, ...],
    outputs: tuple[str, ...],
    written: int | None,
    budget: Budget,
) -> Graph:
    """For any number of pictures; where that fails, for the number that the file insists on."""
    try:
        return translate(read, {name: (None, *picture)}, outputs, written=written, budget=budget)
    except (ShapeError, UnsupportedError):
        if written is None:
            raise
    return translate(read, {name: (written, *picture)}, outputs, budget=budget)
