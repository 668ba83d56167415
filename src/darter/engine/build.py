"""Model file -> the graph that is planned and run: read, lower, improve."""

from darter.engine.graph import Graph
from darter.engine.lowering import lower
from darter.engine.modelfile import ModelFile
from darter.engine.onnx_reader import read_graph
from darter.engine.passes import improve
from darter.engine.signature import Signature
from darter.errors import DarterError


def build(model: ModelFile, signature: Signature, size: int | None = None) -> Graph:
    """The graph of `ops.OPS` that computes a classifier's scores for pictures of one size.

    size: side of the pictures in pixels, for a file that leaves it open.
    Its input is (N, 3, size, size), or (N, size, size, 3) where the file has channels last; a
    number of pictures that the file insists on is not kept, as pictures do not influence
    each other.
    Raises UnsupportedError, which lists every node that darter cannot run, ModelFileError or
    ShapeError; each begins with the file's name.
    """
    side = signature.size or size or 224
    shape = (None, 3, side, side) if signature.layout == "NCHW" else (None, side, side, 3)
    try:
        graph = read_graph(model.proto, model.path.parent)
        return improve(lower(graph, {signature.input: shape}, (signature.output,)))
    except DarterError as error:
        raise type(error)(f"{model.path}: {error}") from None
