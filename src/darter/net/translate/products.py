"""Fully connected layers and what normalizes over an axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import distinct_axes, integer, number
from darter.net.translate.context import Translation


def gemm(net: Translation, source: Node) -> None:
    if len(net.shape(source.inputs[0])) != 2:
        raise ModelFileError("multiplies matrices: both inputs must have two axes")
    gemm_of_rows(net, source)


def gemm_of_rows(net: Translation, source: Node) -> None:
    """alpha * x * w + beta * c for x (..., C); the weights are kept as (outputs, inputs)."""
    w = net.constant(source, 1)
    if w is None or w.ndim != 2:
        raise ModelFileError("multiplies matrices: both inputs must have two axes")
    if integer(source, "transA", 0):
        raise UnsupportedError("transA is not supported: it mixes pictures")
    alpha, beta = number(source, "alpha", 1.0), number(source, "beta", 1.0)
    w = w if integer(source, "transB", 0) else w.T
    name = net.weight(source, "weight", w if alpha == 1 else w * np.float32(alpha))
    c = net.constant(source, 2)
    outputs = w.shape[0]
    added = np.zeros(outputs) if c is None else np.float32(beta) * c
    if added.size in (1, outputs) and added.size == np.prod(added.shape[-1:]):
        bias = net.weight(source, "bias", np.broadcast_to(added.ravel(), (outputs,)))
        net.emit("Gemm", source, (source.inputs[0], name, bias), source.output)
        return
    zero = net.weight(source, "bias", np.zeros(outputs))
    product = net.between(source, "product")
    net.emit("Gemm", source, (source.inputs[0], name, zero), product)
    matrix = net.weight(source, "added", added)
    net.emit("Eltwise", source, (product, matrix), source.output, function="add")


def matmul(net: Translation, source: Node) -> None:
    """A product with constant weights (inputs, outputs) is a Gemm; of two tensors, a MatMul.

    A constant vector is a matrix of one column, or of one row, whose axis is dropped again.
    """
    if len(source.inputs) != 2:
        raise ModelFileError(f"needs 2 inputs, got {len(source.inputs)}")
    left, right = source.inputs
    shapes = [net.shape(name) for name in source.inputs]
    if min(map(len, shapes)) < 1:
        raise ModelFileError("multiplies by a single number")
    if len(shapes[0]) > 1 and len(shapes[1]) > 1:
        _product(net, source, left, right, source.output)
        return
    computed = (name not in net.values for name in source.inputs)
    if any(made and len(shape) == 1 for made, shape in zip(computed, shapes, strict=True)):
        raise UnsupportedError("multiplies by a vector that is computed")
    if len(shapes[1]) == 1:
        right = net.weight(source, "column", np.reshape(_vector(net, source, 1), (-1, 1)))
        target = shapes[0][:-1]
    else:
        left = net.weight(source, "row", np.reshape(_vector(net, source, 0), (1, -1)))
        target = (*shapes[1][:-2], shapes[1][-1])
    product = net.between(source, "product")
    _product(net, source, left, right, product)
    net.emit("Reshape", source, (product,), source.output, shape=target)


def _vector(net: Translation, source: Node, number: int) -> NDArray[Any]:
    vector = net.constant(source, number)
    assert vector is not None
    return vector


def _product(net: Translation, source: Node, left: str, right: str, output: str) -> None:
    constant = right in net.values and left not in net.values
    if not constant or len(net.shape(right)) != 2:
        net.emit("MatMul", source, (left, right), output)
        return
    w, _ = net.values[right]
    name = net.weight(source, "weight", w.T)
    bias = net.weight(source, "bias", np.zeros(w.shape[1]))
    net.emit("Gemm", source, (left, name, bias), output)


def softmax(net: Translation, source: Node) -> None:
    _softmax(net, source, log=False)


def log_softmax(net: Translation, source: Node) -> None:
    _softmax(net, source, log=True)


def _softmax(net: Translation, source: Node, *, log: bool) -> None:
    """Up to version 12 all axes from `axis` on are one; later only that axis counts."""
    x = source.inputs[0]
    shape = net.shape(x)
    axis = integer(source, "axis", 1 if net.opset < 13 else -1)
    axis = axis + len(shape) if axis < 0 else axis
    if not 0 <= axis < max(len(shape), 1):
        raise ModelFileError(f"there is no axis {axis} in {shape}")
    if net.opset >= 13 or axis == len(shape) - 1:
        net.emit("Softmax", source, (x,), source.output, axis=axis, log=log)
        return
    if axis != 1:
        raise UnsupportedError(f"over all axes from {axis} on, in ONNX before version 13")
    rows = (shape[0], int(np.prod([size or 0 for size in shape[1:]])))
    flat = net.emit("Reshape", source, (x,), net.between(source, "flat"), shape=rows)
    soft = net.emit("Softmax", source, (flat,), net.between(source, "soft"), axis=1, log=log)
    net.emit("Reshape", source, (soft,), source.output, shape=shape)


def layer_normalization(net: Translation, source: Node) -> None:
    if any(source.outputs[1:]):
        raise UnsupportedError("its mean and deviation as outputs are not supported")
    rank = len(net.shape(source.inputs[0]))
    axis = integer(source, "axis", -1)
    if not -rank <= axis < rank:
        raise ModelFileError(f"there is no axis {axis} among {rank}")
    shape = tuple(size or 1 for size in net.shape(source.inputs[0])[axis % rank :])
    gamma, beta = net.constant(source, 1), net.constant(source, 2)
    if gamma is None:
        raise ModelFileError("has no scale")
    scale = net.weight(source, "scale", np.broadcast_to(gamma, shape))
    shift = net.weight(source, "shift", np.broadcast_to(0 if beta is None else beta, shape))
    net.emit(
        "LayerNorm",
        source,
        (source.inputs[0], scale, shift),
        source.output,
        axis=axis % rank,
        epsilon=number(source, "epsilon", 1e-5),
    )


def reduce(function: str):
    """A translation for a reduction over some axes, all where none are named."""

    def translate(net: Translation, source: Node) -> None:
        rank = len(net.shape(source.inputs[0]))
        given = net.constant(source, 1)
        listed = source.attributes.get("axes") if given is None else tuple(map(int, given.ravel()))
        if listed == () and integer(source, "noop_with_empty_axes", 0):
            net.alias(source)
            return
        axes = tuple(sorted(distinct_axes(listed or range(rank), rank)))
        keep = bool(integer(source, "keepdims", 1))
        x = source.inputs[:1]
        net.emit("Reduce", source, x, source.output, function=function, axes=axes, keep_dims=keep)

    return translate
