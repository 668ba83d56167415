"""What a fold is given: constants, some of which may be absent; and how large a result may be."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from numpy.typing import NDArray

from darter.errors import ModelFileError, ShapeError
from darter.net.graph import Node

MOST_ELEMENTS = 2**27  # of a constant that is computed: the first linear layer of VGG has 2**26.6
Array = NDArray[Any]
Inputs = Sequence[Array | None]
Fold = Callable[[Inputs, Node, int], Array | list[Array]]  # (inputs, node, opset)


def optional(inputs: Inputs, place: int) -> Array | None:
    """The input at that place, None where the node has none there."""
    return inputs[place] if place < len(inputs) else None


def needed(inputs: Inputs, place: int) -> Array:
    """The input at that place; ModelFileError where the node has none there."""
    found = optional(inputs, place)
    if found is None:
        raise ModelFileError(f"its input {place} is absent")
    return found


def all_of(inputs: Inputs) -> list[Array]:
    """All inputs of a node that needs each; ModelFileError where one is absent."""
    return [needed(inputs, place) for place in range(len(inputs))]


def check(*shape: int) -> tuple[int, ...]:
    """The shape of a result; ShapeError where no sane file has one so large."""
    shape = tuple(int(size) for size in shape)
    if min(shape, default=0) < 0 or prod(shape) > MOST_ELEMENTS or len(shape) > 8:
        raise ShapeError(f"a constant of shape {shape[:8]} cannot be meant")
    return shape
