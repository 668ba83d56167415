"""Model file -> the graph that is planned and run: read, lower, improve."""

import numpy as np

from darter.engine.graph import Graph
from darter.engine.lowering import lower
from darter.engine.modelfile import ModelFile
from darter.engine.onnx_reader import read_graph
from darter.engine.passes import improve
from darter.engine.signature import Signature
from darter.errors import DarterError, ShapeError, UnsupportedError


def build(model: ModelFile, signature: Signature, size: int | None = None) -> Graph:
    """The graph of `ops.OPS` that computes a classifier's scores for pictures of one size.

    size: side of the pictures in pixels, for a file that leaves it open.
    Its input is (N, 3, size, size), or (N, size, size, 3) where the file has channels last. A
    number of pictures that the file insists on is not kept, if possible.
    Raises UnsupportedError, which lists every node that darter cannot run, ModelFileError or
    ShapeError; each begins with the file's name.
    """
    side = signature.size or size or 224
    try:
        read = read_graph(model.proto, model.path.parent, model.raw)
        with np.errstate(all="ignore"):  # a damaged file's weights may be anything
            return improve(_lowered(read, signature, side))
    except DarterError as error:
        raise type(error)(f"{model.path}: {error}") from None


def _lowered(read: Graph, signature: Signature, side: int) -> Graph:
    """For any number of pictures; where that fails, for the number that the file insists on."""
    picture = (3, side, side) if signature.layout == "NCHW" else (side, side, 3)
    outputs, written = (signature.output,), signature.batch
    try:
        return lower(read, {signature.input: (None, *picture)}, outputs, written=written)
    except (ShapeError, UnsupportedError):
        if written is None:
            raise
    return lower(read, {signature.input: (written, *picture)}, outputs)
