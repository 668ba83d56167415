"""How much memory a plan may take, known before any of it is touched."""

from dataclasses import replace
from math import prod

from darter.conv import ALGORITHMS
from darter.errors import OptionError, ShapeError
from darter.net.graph import Graph
from darter.net.infer import infer
from darter.net.plan.algorithm import algorithm_for, spec_of
from darter.net.plan.options import Options

MOST_BYTES = 16 << 30  # of weights and arena where no cap is given: a damaged file asks for more


def check_weights(graph: Graph, batch: int, options: Options) -> None:
    """Raise ShapeError if even the leanest weights exceed what any net can mean."""
    if packed_bytes(graph, batch, replace(options, lean=True)) > MOST_BYTES:
        raise ShapeError(f"its weights need more than {MOST_BYTES >> 30} GiB when packed")


def packed_bytes(graph: Graph, batch: int, options: Options) -> int:
    """Of all packed weights, by the algorithms that these options choose."""
    shapes, total = infer(graph, batch), 0
    for node in graph.nodes:
        if node.op == "Conv":
            spec = spec_of(node, shapes)
            total += ALGORITHMS[algorithm_for(spec, options)].weight_bytes(spec)
        elif node.op == "Gemm":
            total += 4 * prod(shapes[node.inputs[1]])
    return total


def check_total(options: Options, arena: int, weights: int) -> None:
    """Raise if a finished plan needs more than it may."""
    if arena > MOST_BYTES:
        raise ShapeError(f"its tensors need {arena >> 30} GiB at a time; that cannot be meant")
    if options.memory_cap is not None and arena + weights > options.memory_cap:
        raise OptionError(
            f"memory_cap of {options.memory_cap / 1e6:.1f} MB is too small: {weights / 1e6:.1f} MB "
            f"of weights and {arena / 1e6:.1f} MB of tensors are needed; raise it, or run fewer "
            "pictures at a time"
        )
