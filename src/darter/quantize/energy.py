"""How much a net computes, counted in bits: a proxy of its energy that knows no machine."""

from pathlib import Path

from darter.model import analyze_file, graph_of, model_file
from darter.net import Graph, Node, read_graph, read_model
from darter.quantize.places import FILTERS, MOVES

INTEGERS = ("QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger")
BITS = {"float32": 32, "bfloat16": 16}  # of a number, by what the engine computes in


def bit_operations(path: Path | str, precision: str = "float32") -> int:
    """Multiply-adds of convolutions and matrix products for one picture, each times the bits of
    its weight and those of the number that it multiplies.

    A layer has 8 bits where the file's integers say so, 1 where all its weights and inputs are two
    numbers of one size, and those of `precision` otherwise. What else a net computes is not
    counted, nor what moving numbers costs.
    Source: van Baalen et al., "Bayesian Bits", arXiv:2005.07093 (section 4).
    """
    path = model_file(path)
    opened = read_model(path)
    integers = integer_layers(read_graph(opened.proto, path.parent, opened.raw))
    signs = {n.name for n in graph_of(path, improved=True).nodes if n.op.startswith("BinaryConv")}
    total = 0
    for layer in analyze_file(path, runs=0).layers:
        bits = 8 if layer.name in integers else 1 if layer.name in signs else BITS[precision]
        total += layer.multiply_adds * bits * bits
    return total


def integer_layers(graph: Graph) -> set[str]:
    """Names of the products of a graph of ONNX's operations whose both factors are 8-bit
    integers: operators on integers, and those between DequantizeLinear and QuantizeLinear."""
    makers = {output: node for node in graph.nodes for output in node.outputs}

    def dequantized(name: str) -> bool:
        node: Node | None = makers.get(name)
        while node is not None and node.op in MOVES:
            node = makers.get(node.inputs[0])
        return node is not None and node.op == "DequantizeLinear"

    return {
        node.name
        for node in graph.nodes
        if node.op in INTEGERS
        or (node.op in FILTERS and all(dequantized(name) for name in node.inputs[:2]))
    }
