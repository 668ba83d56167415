"""What moves numbers without changing them, and the recurrent layers."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.standard.draft import Draft, Step

Sizes = tuple[int | None, ...]


def concat(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("Concat", node.inputs, node.output, axis=int(given["axis"]))


def split(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    owner = next(filter(None, node.outputs))
    sizes = draft.integers(owner, given["sizes"])
    draft.emit_many("Split", (*node.inputs, sizes), node.outputs, axis=int(given["axis"]))


def slice_(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    names = ("start", "stop", "axis", "step")
    parts = [draft.integers(node.output, [given[name]]) for name in names]
    draft.emit("Slice", (*node.inputs, *parts), node.output)


def take(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    places = draft.integers(node.output, given["places"])
    draft.emit("Gather", (*node.inputs, places), node.output, axis=int(given["axis"]))


def channels(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    counts = [draft.shape(name)[1] or 0 for name in node.inputs]
    begins = [0, *accumulate(counts)]
    places = draft.integers(node.output, [begins[i] + k for i, k in given["sources"]])
    joined = node.inputs[0]
    if len(node.inputs) > 1:
        joined = draft.between(node.output)
        draft.emit("Concat", node.inputs, joined, axis=1)
    draft.emit("Gather", (joined, places), node.output, axis=1)


def reshape(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    target = draft.integers(node.output, _sizes(given["shape"], -1))
    draft.emit("Reshape", (*node.inputs, target), node.output)


def expand(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, *like = node.inputs
    target = draft.integers(node.output, _sizes(given["shape"], 1))
    if like:
        target = _with_pictures_of(draft, node, like[0], given["shape"])
    draft.emit("Expand", (x, target), node.output)


def _with_pictures_of(draft: Draft, node: Node, like: str, shape: Sizes) -> str:
    """A shape whose None is the first size of `like`, worked out by nodes."""
    whole, first, target = (draft.between(node.output) for _ in range(3))
    draft.emit("Shape", (like,), whole)
    draft.emit("Gather", (whole, draft.integers(node.output, [0])), first, axis=0)
    at, sizes = shape.index(None), _sizes(shape, 1)
    before, after = (draft.integers(node.output, part) for part in (sizes[:at], sizes[at + 1 :]))
    draft.emit("Concat", (before, first, after), target, axis=0)
    return target


def _sizes(shape: Sizes, pictures: int) -> list[int]:
    """pictures: what ONNX takes in place of their number."""
    return [pictures if size is None else size for size in shape]


def transpose(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("Transpose", node.inputs, node.output, perm=tuple(given["order"]))


def depth_to_space(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    (rows, columns), x = given["square"], node.inputs[0]
    first = given["channels_first"]
    if rows == columns:
        mode = "CRD" if first else "DCR"
        draft.emit("DepthToSpace", (x,), node.output, blocksize=int(rows), mode=mode)
        return
    _, c, h, w = (size or -1 for size in draft.shape(x))
    kept = c // (rows * columns)
    apart = (-1, kept, rows, columns, h, w) if first else (-1, rows, columns, kept, h, w)
    order = (0, 1, 4, 2, 5, 3) if first else (0, 3, 4, 1, 5, 2)
    before = draft.integers(node.output, apart)
    after = draft.integers(node.output, (-1, kept, rows * h, columns * w))
    steps: list[Step] = [
        lambda x, y: draft.emit("Reshape", (x, before), y),
        lambda x, y: draft.emit("Transpose", (x,), y, perm=order),
        lambda x, y: draft.emit("Reshape", (x, after), y),
    ]
    draft.chain(x, steps, node.output)


def recurrent(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """The gates' part of the input is computed already: ONNX multiplies it by 1 and adds 0."""
    gates, r, bias = node.inputs
    size = draft.graph.weights[r].shape[0]
    own = np.asarray(draft.graph.weights[bias])
    reset_after = given["kind"] == "gru_reset_after"
    biases = np.zeros(2 * size, np.float32)
    if reset_after:
        biases[-len(own) :] = own
    constants = (
        draft.floats(node.output, np.eye(size)[None]),
        draft.floats(node.output, np.asarray(draft.graph.weights[r])[None]),
        draft.floats(node.output, biases[None]),
    )
    only = draft.integers(node.output, [1])
    steps: list[Step] = [
        lambda x, y: draft.emit("Transpose", (x,), y, perm=(1, 0, 2)),
        lambda x, y: draft.emit(
            "LSTM" if given["kind"] == "lstm" else "GRU",
            (x, *constants),
            y,
            hidden_size=len(own),
            direction="reverse" if given["backward"] else "forward",
            linear_before_reset=int(reset_after) if given["kind"] != "lstm" else None,
        ),
        lambda x, y: draft.emit("Squeeze", (x, only), y),
        lambda x, y: draft.emit("Transpose", (x,), y, perm=(1, 0, 2)),
    ]
    draft.chain(gates, steps, node.output)
