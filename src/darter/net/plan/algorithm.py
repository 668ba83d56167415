"""Which algorithm computes a convolution of a plan."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

from darter.conv import ALGORITHMS, ConvSpec, Direct, admitted, autotune, choose, recall
from darter.kernels import Element, canonical, steps, threads
from darter.net.graph import Node
from darter.net.ops import attributes
from darter.net.plan.options import Options

Dims = tuple[int, ...]
TUNING_SECONDS = 0.2  # for each convolution that this machine has not timed yet


def border_algorithm(node: Node) -> str | None:
    """What the core calls depthwise convolutions with such a border; None where it is zeros."""
    border = attributes(node.op, node.attributes).get("border", "zeros")
    return None if border == "zeros" else f"depthwise-{border}"


def spec_of(node: Node, shapes: Mapping[str, Dims]) -> ConvSpec:
    """The shape of a Conv node."""
    given = attributes(node.op, node.attributes)
    x, w = (shapes[name] for name in node.inputs[:2])
    window = (tuple(given[name]) for name in ("strides", "pads", "dilations"))
    return _spec(x, w, *window, given["group"])


@lru_cache(maxsize=1024)  # the layers of a net repeat
def _spec(x: Any, w: Any, *rest: Any) -> ConvSpec:
    return ConvSpec(x, w, *rest)


@lru_cache(maxsize=1024)
def for_pictures(spec: ConvSpec, pictures: int) -> ConvSpec:
    """The same for another number of pictures."""
    return replace(spec, x=(pictures, *spec.x[1:]))


def integer_geometry(node: Node, shapes: Mapping[str, Dims]) -> list[int]:
    """An IntegerConv node's, as the core takes it."""
    given = attributes(node.op, node.attributes)
    _, c, h, w = canonical(shapes[node.inputs[0]], 1)
    k, _, r, s = shapes[node.inputs[1]]
    window = [number for key in ("strides", "pads", "dilations") for number in given[key]]
    return [c, h, w, k, r, s, *window, given["group"]]


def integer_weight_bytes(node: Node, shapes: Mapping[str, Dims], pictures: int) -> int:
    """Of an IntegerConv's filters as they are packed: for Winograd 9 become 36 of 2 bytes."""
    algorithm = steps.integer_algorithm(integer_geometry(node, shapes), pictures)
    return prod(shapes[node.inputs[1]]) * (8 if algorithm.name == "winograd" else 1)


def algorithm_for(spec: ConvSpec, options: Options) -> str:
    """The smallest where options are lean; else the fastest by timings or estimate."""
    if options.lean:
        names, _ = admitted(spec, max_error=options.max_error)
        blocked = [name for name in names if name != "im2col"]  # it would need plain tensors
        return min(blocked, key=lambda name: _bytes(name, spec))
    if options.tune and not recall(spec):
        autotune(spec, seconds=TUNING_SECONDS, max_error=options.max_error)
    name = choose(spec, max_error=options.max_error).algorithm
    return _direct_in_16_bits(spec, name) if options.kept == Element.bfloat16 else name


def _direct_in_16_bits(spec: ConvSpec, chosen: str) -> str:
    """The choice among tensors that are rounded already: what rounding costs does not count."""
    if chosen != "direct":
        return chosen
    return min(Direct(), Direct("bfloat16"), key=lambda each: each.arithmetic(spec)).core


def _bytes(name: str, spec: ConvSpec) -> int:
    algorithm = ALGORITHMS[name]
    return algorithm.weight_bytes(spec) + algorithm.workspace_bytes(spec, threads())
