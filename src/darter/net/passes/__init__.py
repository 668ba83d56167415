"""Passes: each takes a graph and gives one that computes the same with less work."""

from collections.abc import Callable

from darter.net.budget import Budget
from darter.net.graph import Graph
from darter.net.passes.bias import fold_bias
from darter.net.passes.binary import after_binary, binary_chains, binary_layers
from darter.net.passes.channel_affine import channel_affine
from darter.net.passes.channel_moves import (
    drop_idle_channels,
    merge_channel_moves,
    order_after_scale,
    shuffles,
    takes,
)
from darter.net.passes.channels_first import channels_first
from darter.net.passes.fold_scale import fold_scale_after, fold_scale_before, merge_scales
from darter.net.passes.fuse_activation import fuse_activation
from darter.net.passes.fuse_residual import fuse_residual
from darter.net.passes.gates import gates, hard_sigmoid
from darter.net.passes.gelu import gelu
from darter.net.passes.group_norm import group_norm, scale_into_norm
from darter.net.passes.integers import integers_where_fast
from darter.net.passes.layer_norm import layer_norm
from darter.net.passes.pools import (
    border_into_depthwise,
    drop_idle_pools,
    global_pool,
    pad_into_window,
)
from darter.net.passes.reshapes import drop_idle_moves, merge_moves
from darter.net.passes.scale_from_eltwise import scale_from_eltwise

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    # before anything moves scales away from where a quantized file has them
    integers_where_fast,
    takes,
    shuffles,
    merge_moves,
    drop_idle_moves,
    # patterns of several nodes, before their parts turn into something else
    hard_sigmoid,
    gates,
    gelu,
    layer_norm,
    group_norm,
    channels_first,
    merge_moves,
    drop_idle_moves,
    shuffles,
    merge_channel_moves,
    drop_idle_channels,
    global_pool,
    drop_idle_pools,
    # constants into the products next to them
    fold_bias,
    scale_from_eltwise,
    merge_scales,
    scale_into_norm,
    order_after_scale,
    drop_idle_channels,
    channel_affine,
    pad_into_window,
    border_into_depthwise,
    fold_scale_after,
    fold_scale_before,
    # what follows a product into the product
    fuse_activation,
    fuse_residual,
    # layers of +1 and -1, with what follows them
    binary_layers,
    after_binary,
    binary_chains,
)


def improve(graph: Graph, budget: Budget | None = None) -> Graph:
    """Apply every pass, in the order of the table."""
    budget = budget or Budget()
    for run in PASSES:
        budget.check_time("improving the graph")
        graph = run(graph)
    return graph
