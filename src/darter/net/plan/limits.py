"""How much memory a plan may take, known before any of it is touched."""

from dataclasses import replace
from math import prod

from darter.conv import ALGORITHMS, ConvSpec
from darter.errors import OptionError, ShapeError
from darter.machine import memory_now
from darter.net.graph import Graph
from darter.net.infer import infer
from darter.net.plan.algorithm import algorithm_for, spec_of
from darter.net.plan.options import Options

MOST_BYTES = 16 << 30  # of weights and arena where no cap is given: a damaged file asks for more
ALWAYS = 64 << 20  # bytes that nobody need look for


def check_weights(graph: Graph, batch: int, options: Options) -> None:
    """Raise ShapeError if even the leanest weights exceed what any net can mean, or the machine."""
    _check_there(
        packed_bytes(graph, batch, replace(options, lean=True)), "weights", "a smaller net"
    )


def packed_bytes(graph: Graph, batch: int, options: Options) -> int:
    """Of all packed weights, by the algorithms that these options choose."""
    shapes, total = infer(graph, batch), 0
    known: dict[ConvSpec, int] = {}  # the layers of a net repeat
    for node in graph.nodes:
        if node.op == "Conv":
            spec = spec_of(node, shapes)
            if spec not in known:
                known[spec] = ALGORITHMS[algorithm_for(spec, options)].weight_bytes(spec)
            total += known[spec]
        elif node.op == "Gemm":
            total += 4 * prod(shapes[node.inputs[1]])
    return total


def check_total(options: Options, arena: int, weights: int) -> None:
    """Raise if a finished plan needs more than it may."""
    _check_there(arena + weights, "tensors and weights", "fewer or smaller pictures at a time")
    if options.memory_cap is not None and arena + weights > options.memory_cap:
        raise OptionError(
            f"memory_cap of {options.memory_cap / 1e6:.1f} MB is too small: {weights / 1e6:.1f} MB "
            f"of weights and {arena / 1e6:.1f} MB of tensors are needed; raise it, or run fewer "
            "pictures at a time"
        )


def _check_there(needed: int, what: str, remedy: str) -> None:
    if needed <= ALWAYS:
        return
    most = min(MOST_BYTES, memory_now().total or MOST_BYTES)
    if needed > most:
        raise ShapeError(
            f"its {what} need {needed / 2**30:.1f} GiB; there are {most / 2**30:.1f} GiB at most "
            f"(the machine's memory, or darter's limit of {MOST_BYTES >> 30} GiB). Use {remedy}."
        )
