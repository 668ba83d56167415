"""What normalizes: over the last axes, over the pixels of channels, by the length of a vector."""

import numpy as np

from darter.errors import ModelFileError
from darter.net.graph import Node
from darter.net.shapes import check_axis
from darter.net.translate.attributes import integer, number
from darter.net.translate.context import Translation


def instance_normalization(net: Translation, source: Node) -> None:
    scale, shift = net.constant(source, 1), net.constant(source, 2)
    if scale is None or shift is None:
        raise ModelFileError("has no scale or shift")
    _group_norm(net, source, scale.size, scale, shift)


def group_normalization(net: Translation, source: Node) -> None:
    """Scale and shift are per channel; before version 21 per group."""
    shape, groups = net.shape(source.inputs[0]), integer(source, "num_groups", 0)
    scale, shift = net.constant(source, 1), net.constant(source, 2)
    if scale is None or shift is None or len(shape) < 2 or groups < 1:
        raise ModelFileError("has no scale, shift or groups")
    if net.opset < 21 and scale.shape == shift.shape == (groups,):
        each = (shape[1] or 0) // groups
        scale, shift = np.repeat(scale, each), np.repeat(shift, each)
    _group_norm(net, source, groups, scale, shift)


def _group_norm(net: Translation, source: Node, groups: int, scale, shift) -> None:
    net.emit(
        "GroupNorm",
        source,
        (source.inputs[0], net.weight(source, "scale", scale), net.weight(source, "shift", shift)),
        source.output,
        groups=groups,
        epsilon=number(source, "epsilon", 1e-5),
    )


def lp_normalization(net: Translation, source: Node) -> None:
    """x / its length along an axis; 0 where that is 0."""
    x, order = source.inputs[0], integer(source, "p", 2)
    axis = check_axis(integer(source, "axis", -1), net.dims(x)[0])
    length = net.between(source, "length")
    function = "l1" if order == 1 else "l2"
    net.emit("Reduce", source, (x,), length, function=function, axes=(axis,), keep_dims=True)
    least = net.weight(source, "least", np.finfo(np.float32).tiny)
    above = net.emit("Eltwise", source, (length, least), f"{length}.above", function="max")
    net.emit("Eltwise", source, (x, above), source.output, function="div")
