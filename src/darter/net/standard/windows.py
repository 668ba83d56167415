"""Products, pools and what else slides over a picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darter.errors import UnsupportedError
from darter.net.graph import Node
from darter.net.standard.draft import Draft, Step
from darter.net.standard.elementwise import activation_steps


def conv(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, w, b, *residual = node.inputs
    pads, filters = tuple(given["pads"]), draft.graph.weights[w]
    bordered = given["border"] != "zeros" and any(pads)

    def border(x: str, y: str) -> None:
        top, left, bottom, right = pads
        around = draft.integers(node.output, (0, 0, top, left, 0, 0, bottom, right))
        draft.emit("Pad", (x, around), y, mode=given["border"])

    def product(x: str, y: str) -> None:
        draft.emit(
            "Conv",
            (x, w, b),
            y,
            kernel_shape=filters.shape[2:],
            strides=tuple(given["strides"]),
            pads=(0, 0, 0, 0) if bordered else pads,
            dilations=tuple(given["dilations"]),
            group=int(given["group"]),
        )

    before: list[Step] = [border] if bordered else []
    draft.chain(x, [*before, product, *_ending(draft, given, residual)], node.output)


def gemm(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, w, b, *residual = node.inputs

    def product(x: str, y: str) -> None:
        if len(draft.shape(node.inputs[0])) == 2:
            draft.emit("Gemm", (x, w, b), y, transB=1)
            return
        turned = draft.floats(node.output, np.asarray(draft.graph.weights[w]).T)
        rows = draft.between(y)
        draft.emit("MatMul", (x, turned), rows)
        draft.emit("Add", (rows, b), y)

    draft.chain(x, [product, *_ending(draft, given, residual)], node.output)


def _ending(draft: Draft, given: Mapping[str, Any], residual: list[str]) -> list[Step]:
    """The activation and the sum that are fused into a product, in their order."""
    bend = activation_steps(draft, given)
    added: list[Step] = [lambda x, y: draft.emit("Add", (x, *residual), y)] if residual else []
    return [*added, *bend] if given["activation_after_residual"] else [*bend, *added]


def matmul(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("MatMul", node.inputs, node.output)


def max_pool(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("MaxPool", node.inputs, node.output, **_window(given))


def average_pool(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    inside = int(given["count_padding"])
    draft.emit("AveragePool", node.inputs, node.output, count_include_pad=inside, **_window(given))


def _window(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kernel_shape": tuple(given["kernel"]),
        "strides": tuple(given["strides"]),
        "pads": tuple(given["pads"]),
        "dilations": tuple(given["dilations"]),
        "ceil_mode": int(given["ceil"]),
    }


def global_average_pool(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("GlobalAveragePool", node.inputs, node.output)


def global_max_pool(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("GlobalMaxPool", node.inputs, node.output)


def pad(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    around = draft.integers(node.output, given["pads"])
    fill = draft.floats(node.output, given["value"])
    draft.emit("Pad", (*node.inputs, around, fill), node.output, mode=given["mode"])


def resize(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """By sizes where they give darter's scales, else by scales."""
    old = draft.shape(node.inputs[0])[2:]
    size, scales = tuple(given["size"]), tuple(map(np.float32, given["scales"]))
    assert all(side is not None for side in old)
    exact = all(
        np.float32(new) / np.float32(side) == scale
        for new, side, scale in zip(size, old, scales, strict=True)
    )
    floors = tuple(int(np.float32(n) * s) for n, s in zip(old, scales, strict=True))
    if not exact and floors != size:
        raise UnsupportedError(f"{node}: ONNX cannot resize {old} to {size} by scales {scales}")
    inputs = ("", "", draft.integers(node.output, size)) if exact else ("", _floats(draft, scales))
    draft.emit(
        "Resize",
        (*node.inputs, *inputs),
        node.output,
        axes=(2, 3),
        mode=given["mode"],
        coordinate_transformation_mode=given["coordinates"],
        nearest_mode=given["nearest"] if given["mode"] == "nearest" else None,
        cubic_coeff_a=float(given["cubic"]) if given["mode"] == "cubic" else None,
        exclude_outside=int(given["exclude_outside"]),
    )


def _floats(draft: Draft, scales: tuple[Any, ...]) -> str:
    return draft.floats("scales", scales)
