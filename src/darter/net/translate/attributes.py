"""Attributes of ONNX nodes, checked: a damaged file may hold any type and any number of them.

`VALUES` is the one list of which values ONNX allows; which names and types an operation takes is
written into attributes.json by ONNX itself.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.net.graph import Node

LARGEST = 2**31 - 1


Rule = Callable[[Any, int], str | None]  # value, rank of the first input -> what is expected


def check_attributes(node: Node, opset: int, rank: int) -> None:
    """Raise ModelFileError for an attribute that ONNX does not allow, by name, type or value.

    rank: of the node's first input.
    """
    known = _known(node.op, opset)
    for name, value in node.attributes.items():
        if known is not None and name not in known:
            raise ModelFileError(f"has no attribute {name[:60]!r} in version {opset} of ONNX")
        expected = None if known is None else _mistyped(known[name], value)
        rule = VALUES.get(f"{node.op}.{name}", VALUES.get(name))
        if expected is None and rule is not None and value is not None:
            try:
                expected = rule(value, rank)
            except TypeError:  # of an operation whose types are not listed
                expected = "a value of another type"
        if expected is not None:
            raise _wrong(node, name, expected, value)


@cache
def _known(op: str, opset: int) -> Mapping[str, str] | None:
    """name -> kind (INT, FLOATS, ...) of each attribute of an operation; None if ONNX lacks it."""
    table = _table()
    versions = table["operations"].get(op)
    if versions is None or opset > table["newest"]:
        return _of_package(op, opset)
    # One newer than the file says is its own first: exporters write LayerNormalization so.
    older = [int(version) for version in versions if int(version) <= opset]
    return versions[str(max(older))] if older else list(versions.values())[-1]


@cache
def _table() -> Any:
    """What `tools/onnx_attributes.py` has written."""
    return json.loads(Path(__file__).with_name("attributes.json").read_text())


def _of_package(op: str, opset: int) -> Mapping[str, str] | None:
    """The same by the package onnx, whose import takes longer than reading a net."""
    from onnx import defs

    if not defs.has(op):
        return None
    try:
        schema = defs.get_schema(op, min(opset, defs.onnx_opset_version()), "")
    except defs.SchemaError:
        schema = defs.get_schema(op)
    return {
        name: str(attribute.type).rpartition(".")[2]
        for name, attribute in schema.attributes.items()
    }


def _mistyped(kind: str, value: Any) -> str | None:
    """What an attribute of this kind must be, where the value is something else."""
    if kind == "INT":
        return None if isinstance(value, int) else "a whole number"
    if kind == "FLOAT":
        return None if isinstance(value, float | int) else "a number"
    if kind == "STRING":
        return None if isinstance(value, str) else "a text"
    if kind == "INTS":
        whole = isinstance(value, tuple) and all(isinstance(each, int) for each in value)
        return None if whole else "whole numbers"
    return None


def distinct_axes(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """The axes from 0 on, in their order; ModelFileError where one is absent or named twice."""
    axes = tuple(int(axis) for axis in axes)
    expected = _axes(axes, rank)
    if expected is not None:
        raise ModelFileError(f"axes must be {expected}, got {axes[:9]}")
    return tuple(axis % max(rank, 1) for axis in axes)


def _flag(value: Any, rank: int) -> str | None:
    return None if value in (0, 1) else "0 or 1"


def _one_of(*choices: str) -> Rule:
    return lambda value, rank: None if value in choices else " or ".join(choices)


def _one_of_numbers(*choices: int) -> Rule:
    return lambda value, rank: None if value in choices else " or ".join(map(str, choices))


def _at_least(least: int) -> Rule:
    def rule(value: Any, rank: int) -> str | None:
        values = value if isinstance(value, tuple) else (value,)
        return None if all(each >= least for each in values) else f"{least} or more"

    return rule


def _axis(value: Any, rank: int) -> str | None:
    rank = max(rank, 1)
    return None if -rank <= value < rank else f"an axis of {rank}"


def _axis_or_end(value: Any, rank: int) -> str | None:
    return None if -rank <= value <= rank else f"between {-rank} and {rank}"


def _axes(value: Any, rank: int) -> str | None:
    rank = max(rank, 1)
    inside = all(-rank <= axis < rank for axis in value)
    distinct = len({axis % rank for axis in value}) == len(value)
    return None if inside and distinct else f"different axes of {rank}"


def _order(value: Any, rank: int) -> str | None:
    return None if sorted(value) == list(range(rank)) else f"an order of {rank} axes"


POSITIVE = _at_least(1)
# "Operation.name" goes before "name".
VALUES: dict[str, Rule] = {
    "allowzero": _flag,
    "antialias": _flag,
    "approximate": _one_of("none", "tanh"),
    "block_size": _at_least(0),
    "blocksize": POSITIVE,
    "auto_pad": _one_of("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
    "axes": _axes,
    "Unsqueeze.axes": lambda value, rank: _axes(value, rank + len(value)),
    "axis": _axis,
    "Flatten.axis": _axis_or_end,
    "batch_dims": _at_least(0),
    "ceil_mode": _flag,
    "coordinate_transformation_mode": _one_of(
        *("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners"),
        *("asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"),
    ),
    "RoiAlign.coordinate_transformation_mode": _one_of("half_pixel", "output_half_pixel"),
    "count_include_pad": _flag,
    "dilations": POSITIVE,
    # Its first input is a scale; the axis is one of those after it, and Concat checks it.
    "com.microsoft.QLinearConcat.axis": lambda value, rank: None,
    "BitShift.direction": _one_of("LEFT", "RIGHT"),
    "direction": _one_of("forward", "reverse", "bidirectional"),
    "exclude_outside": _flag,
    "exclusive": _flag,
    "fmod": _flag,
    "group": POSITIVE,
    "hidden_size": POSITIVE,
    "input_forget": _flag,
    "keepdims": _flag,
    "keep_aspect_ratio_policy": _one_of("stretch", "not_larger", "not_smaller"),
    "kernel_shape": POSITIVE,
    "largest": _flag,
    "layout": _flag,
    "linear_before_reset": _flag,
    "DepthToSpace.mode": _one_of("DCR", "CRD"),
    "SpaceToDepth.mode": _one_of("DCR", "CRD"),
    "Pad.mode": _one_of("constant", "reflect", "edge", "wrap"),
    "Resize.mode": _one_of("nearest", "linear", "cubic"),
    "Upsample.mode": _one_of("nearest", "linear"),
    "RoiAlign.mode": _one_of("avg", "max"),
    "nearest_mode": _one_of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    "noop_with_empty_axes": _flag,
    "num_groups": POSITIVE,
    "num_outputs": POSITIVE,
    "output_height": POSITIVE,
    "output_width": POSITIVE,
    "sampling_ratio": _at_least(0),
    "output_padding": _at_least(0),
    "output_shape": POSITIVE,
    "p": _one_of_numbers(1, 2),
    "reverse": _flag,
    "select_last_index": _flag,
    "pads": _at_least(0),
    "Pad.pads": _at_least(-LARGEST),
    "perm": _order,
    "LRN.size": POSITIVE,
    "sorted": _flag,
    "spatial": _flag,
    "Split.split": _at_least(0),
    "storage_order": _flag,
    "strides": POSITIVE,
    "training_mode": _flag,
    "transA": _flag,
    "transB": _flag,
}


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
