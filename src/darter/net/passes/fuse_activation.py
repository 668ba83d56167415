"""An activation becomes part of the product, sum or scale that it follows."""

from dataclasses import replace

from darter.net.graph import Graph, Node

FUSES = ("Conv", "Gemm", "Eltwise", "Scale")


def fuse_activation(graph: Graph) -> Graph:
    """Conv -> Activation becomes Conv with `activation`; likewise the others of FUSES."""
    replaced: dict[Node, list[Node]] = {}
    for maker in graph.nodes:
        reader = graph.only_consumer(maker.output)
        if maker.op not in FUSES or maker.attributes.get("activation") is not None:
            continue
        if reader is None or reader.op != "Activation":
            continue
        fused = maker.with_attributes(activation=reader.attributes["activation"])
        if maker.op in ("Conv", "Gemm") and len(maker.inputs) == 4:
            fused = fused.with_attributes(activation_after_residual=True)
        replaced[maker] = []
        replaced[reader] = [replace(fused, outputs=reader.outputs)]
    return graph.changed(replaced)
