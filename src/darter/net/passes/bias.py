"""A constant added to a fully connected layer is its bias."""

from dataclasses import replace

from darter.net.graph import Graph, Node, constant
from darter.net.passes.patterns import is_eltwise, other_input


def fold_bias(graph: Graph) -> Graph:
    """Gemm -> Eltwise add of (K,) becomes Gemm with that bias, whatever the rank."""
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for gemm in graph.nodes:
        total = graph.only_consumer(gemm.output)
        if gemm.op != "Gemm" or len(gemm.inputs) != 3 or total is None:
            continue
        if not is_eltwise(total, "add") or gemm.attributes.get("activation") is not None:
            continue
        added = graph.weight(other_input(total, gemm.output))
        own = graph.weights[gemm.inputs[2]]
        if added is None or added.ndim > 2 or added.size != own.size:
            continue
        name = graph.unused(f"{total.output}.b")
        weights[name] = constant(own + added.ravel())
        replaced[gemm] = []
        replaced[total] = [replace(gemm, inputs=(*gemm.inputs[:2], name), outputs=total.outputs)]
    return graph.changed(replaced, weights)
