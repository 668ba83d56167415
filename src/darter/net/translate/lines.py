"""Convolutions and pools over a line of pixels, as over a picture of one row."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from darter.errors import ModelFileError
from darter.net.graph import Node
from darter.net.translate.context import Translation

Translate = Callable[[Translation, Node], None]
WINDOWS = ("kernel_shape", "strides", "dilations")


def also_lines(translate: Translate) -> Translate:
    """The same translation, which takes (N, C, W) as (N, C, 1, W), too."""

    def either(net: Translation, source: Node) -> None:
        shape = net.shape(source.inputs[0])
        if len(shape) != 3:
            translate(net, source)
            return
        x, *others = source.inputs
        row = (*shape[:2], 1, shape[2])
        inputs = [net.emit("Reshape", source, (x,), net.between(source, "row"), shape=row)]
        w = net.constant(source, 1) if others else None
        if w is not None:
            if w.ndim != 3:
                raise ModelFileError(f"filters must be (K, C / group, S), got {w.shape}")
            inputs.append(net.weight(source, "row filters", w[:, :, None]))
        made = net.between(source, "rows")
        attributes = MappingProxyType({k: _widened(k, v) for k, v in source.attributes.items()})
        inner = replace(
            source, inputs=(*inputs, *others[1:]), outputs=(made,), attributes=attributes
        )
        translate(net, inner)
        n, k, _, size = net.shape(made)
        net.emit("Reshape", source, (made,), source.output, shape=(n, k, size))

    return either


def _widened(name: str, value: object) -> object:
    """An attribute of windows on one axis as of windows on two."""
    if name in WINDOWS and isinstance(value, tuple) and len(value) == 1:
        return (1, *value)
    if name == "pads" and isinstance(value, tuple) and len(value) == 2:
        return (0, value[0], 0, value[1])
    return value
