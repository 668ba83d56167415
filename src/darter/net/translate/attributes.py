"""Attributes of ONNX nodes, checked: a damaged file may hold any type and any number of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.net.graph import Node

LARGEST = 2**31 - 1


def integer(node: Node, name: str, default: int) -> int:
    value = node.attributes.get(name, default)
    if not isinstance(value, int) or abs(value) > LARGEST:
        raise _wrong(node, name, "a whole number", value)
    return value


def number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    if not isinstance(value, float | int):
        raise _wrong(node, name, "a number", value)
    return float(value)


def text(node: Node, name: str, default: str) -> str:
    value = node.attributes.get(name, default)
    if not isinstance(value, str):
        raise _wrong(node, name, "a text", value)
    return value


def integers(
    node: Node, name: str, default: tuple[int, ...] | None = None, count: int | None = None
) -> tuple[int, ...]:
    """`count`: how many there must be. Without a default the attribute must be there."""
    value = node.attributes.get(name, default)
    if not isinstance(value, tuple) or any(
        not isinstance(each, int) or abs(each) > LARGEST for each in value
    ):
        raise _wrong(node, name, "whole numbers", value)
    if count is not None and len(value) != count:
        raise _wrong(node, name, f"{count} numbers", value)
    return value


def listed(node: Node, name: str) -> NDArray[np.int64] | None:
    """Whole numbers of any size, which later versions of an operation take as an input."""
    value = node.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple) or not all(isinstance(each, int) for each in value):
        raise _wrong(node, name, "whole numbers", value)
    return np.array(value, np.int64)


def _wrong(node: Node, name: str, expected: str, value: Any) -> ModelFileError:
    return ModelFileError(f"attribute {name} must be {expected}, got {str(value)[:60]}")
