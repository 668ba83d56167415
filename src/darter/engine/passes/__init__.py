"""Passes: each takes a graph and gives one that computes the same with less work."""

from collections.abc import Callable

from darter.engine.graph import Graph
from darter.engine.passes.fold_scale import fold_scale_after, fold_scale_before, merge_scales
from darter.engine.passes.fuse_activation import fuse_activation
from darter.engine.passes.fuse_residual import fuse_residual

Pass = Callable[[Graph], Graph]

PASSES: dict[str, Pass] = {
    "merge_scales": merge_scales,
    "fold_scale_after": fold_scale_after,
    "fold_scale_before": fold_scale_before,
    "fuse_activation": fuse_activation,
    "fuse_residual": fuse_residual,
}


def improve(graph: Graph) -> Graph:
    """Apply every pass, in the order of the table."""
    for run in PASSES.values():
        graph = run(graph)
    return graph
