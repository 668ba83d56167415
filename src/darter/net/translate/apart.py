"""Pictures must not influence each other, on whichever axis a node has them."""

from collections.abc import Callable
from math import prod

from darter.errors import UnsupportedError
from darter.net.graph import Node, Shape
from darter.net.infer import Dims

# Each axis of what these give is one of what they take, counted from the last.
ALIGNED = ("Activation", "Eltwise", "PRelu", "Where", "Expand", "Gemm", "MatMul")
# These work along one axis, or along all from it on.
ALONG = ("Concat", "Split", "Slice", "Take", "Softmax", "TopPlaces", "GatherAlong")
FROM = ("LayerNorm",)
FREE = ("Transpose", "Reduce", "Arg")  # a reduction over the pictures leaves none


def check_apart(made: Node, shape: Callable[[str], Shape], dims: Callable[[str], Dims]) -> None:
    """Raise UnsupportedError if the node computes across pictures.

    shape: of a tensor, None for the number of pictures.   dims: for some number of them.
    """
    inputs = made.inputs[:1] if made.op == "Expand" else made.inputs
    given = [name for name in inputs if name and None in shape(name)]
    if given and not all(_keeps(made, given, name, shape, dims) for name in made.outputs if name):
        raise UnsupportedError("computes across pictures; darter runs each for itself")


def _keeps(
    made: Node,
    given: list[str],
    output: str,
    shape: Callable[[str], Shape],
    dims: Callable[[str], Dims],
) -> bool:
    y = shape(output)
    if None not in y:
        return False
    after = y.index(None)
    for name in given:
        x = shape(name)
        before = x.index(None)
        if made.op in ALIGNED:
            fits = len(x) - before == len(y) - after
        elif made.op in ALONG:
            fits = before == after != made.attributes["axis"] % len(x)
        elif made.op in FROM:
            fits = before == after < made.attributes["axis"] % len(x)
        elif made.op == "Reshape":
            fits = prod(dims(name)[:before]) == prod(dims(output)[:after])
        else:
            fits = made.op in FREE or before == after == 0
        if not fits:
            return False
    return True
