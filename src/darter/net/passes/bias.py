"""Constants that multiply or are added to a fully connected layer are part of it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.net.graph import Graph, Node, constant
from darter.net.passes.patterns import is_eltwise, other_input


def fold_bias(graph: Graph) -> Graph:
    """Gemm, then Eltwise add and mul of (K,), becomes one Gemm, whatever the rank."""
    replaced: dict[Node, list[Node]] = {}
    weights: dict[str, NDArray[np.float32]] = {}
    for gemm in graph.nodes:
        if gemm.op != "Gemm" or len(gemm.inputs) != 3 or gemm.attributes.get("activation"):
            continue
        k = graph.weights[gemm.inputs[2]].size
        last, factor, shift = gemm, np.ones(k), np.zeros(k)
        while (found := _constant_after(graph, last, k)) is not None:
            replaced[last] = []
            last, value = found
            if is_eltwise(last, "mul"):
                factor, shift = factor * value, shift * value
            else:
                shift = shift + value
        if last is not gemm:
            names = [graph.unused(f"{last.output}.{role}") for role in ("w", "b")]
            w, b = (graph.weights[name] for name in gemm.inputs[1:])
            weights[names[0]] = w if (factor == 1).all() else constant(w * factor[:, None])
            weights[names[1]] = constant(b * factor + shift)
            replaced[last] = [replace(gemm, inputs=(gemm.inputs[0], *names), outputs=last.outputs)]
    return graph.changed(replaced, weights)


def _constant_after(graph: Graph, maker: Node, k: int) -> tuple[Node, NDArray[np.float64]] | None:
    """The sum or product with one number per output that follows, and these (K,) numbers."""
    reader = graph.only_consumer(maker.output)
    if reader is None or not (is_eltwise(reader, "add") or is_eltwise(reader, "mul")):
        return None
    array = graph.weight(other_input(reader, maker.output))
    if array is None or array.ndim > 2 or array.size != k or array.shape[-1:] != (k,):
        return None
    return reader, np.asarray(array, np.float64).ravel()
