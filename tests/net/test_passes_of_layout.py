"""Passes over layouts, padding and shuffled channels; no pass changes a random net."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.net.graph import Graph, Node, node
from darter.net.passes import PASSES, improve
from darter.net.passes.fuse_activation import fuse_activation
from tests.net.small_graphs import (
    FILTERS,
    SAME,
    act,
    array,
    conv,
    improved,
    net,
    scale,
    sum_of,
)
from tests.references.net import run_graph


def convnext_block():
    return net(
        node("Transpose", "last", ["x"], "last", order=(0, 2, 3, 1)),
        node("LayerNorm", "n", ["last", "s", "t"], "n", axis=3),
        node("Gemm", "g1", ["n", "w1", "zero"], "g1"),
        sum_of("g1", "b1", "h"),
        act("h", "a", "gelu"),
        node("Gemm", "g2", ["a", "w2", "b2"], "g2"),
        sum_of("g2", "gamma", "scaled", "mul"),
        node("Transpose", "first", ["scaled"], "first", order=(0, 3, 1, 2)),
        sum_of("first", "x", "y"),
        s=array(4), t=array(4), w1=array(8, 4), zero=np.zeros(8), b1=array(8),
        w2=array(4, 8), b2=array(4), gamma=array(4),
    )  # fmt: skip


def test_convnext_blocks_stay_channels_first():
    improved(convnext_block(), "ChannelNorm", "Conv", "Conv")


def test_channels_last_at_the_end_is_kept():
    graph = net(
        node("Transpose", "last", ["x"], "last", order=(0, 2, 3, 1)), act("last", "y", "relu")
    )
    improved(graph, "Activation", "Transpose")


def pad(amounts, value=0.0, **attributes):
    return node("Pad", "p", ["x"], "p", pads=amounts, value=value, **attributes)


HW = (0, 0, 1, 2, 0, 0, 0, 1)


def test_padding_moves_into_windows():
    new = improved(net(pad(HW), conv("p", "y", **SAME), **FILTERS), "Conv")
    assert new.nodes[0].attributes["pads"] == (2, 3, 1, 2)
    window = {"kernel": (3, 3), "strides": (2, 2)}
    improved(net(pad(HW), node("AveragePool", "y", ["p"], "y", **window)), "AveragePool")
    pool = node("MaxPool", "y", ["p"], "y", **window)
    improved(net(pad(HW), pool), "Pad", "MaxPool")
    improved(net(pad(HW, float("-inf")), pool), "MaxPool")


@pytest.mark.parametrize(
    "amounts", [(0, 1, 1, 1, 0, 0, 1, 1), (0, 0, -1, 0, 0, 0, 1, 1)], ids=["channels", "cut"]
)
def test_other_padding_stays(amounts):
    w = {"w": array(4, 4 + sum(amounts[1:6:4]), 3, 3), "b": array(4)}
    improved(net(pad(amounts), conv("p", "y"), **w), "Pad", "Conv")


def test_means_over_the_picture_are_global_pools():
    for keep, ops in ((True, ["GlobalAveragePool"]), (False, ["GlobalAveragePool", "Reshape"])):
        mean = node("Reduce", "y", ["x"], "y", function="mean", axes=(2, 3), keep_dims=keep)
        improved(net(mean), *ops)
    improved(net(node("AveragePool", "y", ["x"], "y", kernel=(6, 6))), "GlobalAveragePool")


def test_moves_that_do_nothing_are_dropped():
    improved(
        net(
            node("Reshape", "a", ["x"], "a", shape=(None, 2, 2, 36)),
            node("Transpose", "b", ["a"], "b", order=(0, 2, 1, 3)),
            node("Transpose", "c", ["b"], "c", order=(0, 2, 1, 3)),
            node("Reshape", "d", ["c"], "d", shape=(None, 4, 6, 6)),
            node("MaxPool", "e", ["d"], "e", kernel=(1, 1)),
            act("e", "y", "relu"),
        ),
        "Activation",
    )


def test_channels_that_are_normalized_one_by_one_are_one_scale():
    nodes, parts, weights = [], [], {}
    for channel in range(4):
        nodes += [
            node("Slice", f"s{channel}", ["x"], f"s{channel}", axis=1, start=channel,
                 stop=channel + 1),
            sum_of(f"s{channel}", f"m{channel}", f"p{channel}", "mul"),
            sum_of(f"p{channel}", f"a{channel}", f"q{channel}"),
        ]  # fmt: skip
        parts.append(f"q{channel}")
        weights |= {f"m{channel}": array(), f"a{channel}": array()}
    nodes.append(node("Concat", "y", parts, "y", axis=1))
    improved(net(*nodes, **weights), "Scale")


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_repeated_pixels_become_the_border_of_a_depthwise_convolution(mode):
    pads = (0, 0, 1, 2, 0, 0, 2, 1)
    pad = node("Pad", "p", ["x"], "p", pads=pads, mode=mode)
    depthwise = {"w": array(4, 1, 3, 3), "b": array(4)}
    blur = conv("p", "y", group=4, strides=(2, 2))
    improved(net(pad, blur, **depthwise), "Conv")
    improved(net(pad, conv("p", "y", group=4, **SAME), **depthwise), "Pad", "Conv")
    improved(net(pad, conv("p", "y"), **FILTERS), "Pad", "Conv")
    zeros = node("Pad", "z", ["x"], "z", pads=pads)
    improved(net(zeros, replace(pad, inputs=("z",)), blur, **depthwise), "Pad", "Conv")


def shuffle(source, target, groups, channels=4):
    """The three nodes that exporters write for one shuffle of channels."""
    apart = (None, groups, channels // groups, 6, 6)
    return (
        node("Reshape", f"{target}.apart", [source], f"{target}.apart", shape=apart),
        node("Transpose", f"{target}.turned", [f"{target}.apart"], f"{target}.turned",
             order=(0, 2, 1, 3, 4)),
        node("Reshape", target, [f"{target}.turned"], target, shape=(None, channels, 6, 6)),
    )  # fmt: skip


def halves(source, *targets, channels=4):
    given = {"axis": 1, "sizes": (channels // 2,) * 2}
    return Node("Split", f"{source}.halves", (source,), targets, given)


def test_shuffled_halves_are_chosen_from_what_was_joined():
    """ShuffleNet: only what a layer reads is moved, once, however many shuffles it went through."""
    one = {"w": array(2, 2, 1, 1), "b": array(2)}
    graph = net(
        halves("x", "l1", "r1"),
        conv("r1", "c1"),
        node("Concat", "j1", ["l1", "c1"], "j1", axis=1),
        *shuffle("j1", "s1", 2),
        halves("s1", "l2", "r2"),
        conv("r2", "c2"),
        node("Concat", "j2", ["l2", "c2"], "j2", axis=1),
        *shuffle("j2", "y", 2),
        **one,
    )
    new = improved(graph, "Split", "Conv", "Channels", "Conv", "Channels")
    assert new.nodes[2].inputs == ("l1", "c1")
    assert set(new.nodes[4].inputs) == {"l1", "c1", "c2"}


def test_a_shuffle_before_a_convolution_moves_into_its_filters():
    improved(net(*shuffle("x", "s", 2), conv("s", "y"), **FILTERS), "Conv")
    grouped = {"w": array(4, 1, 3, 3), "b": array(4)}
    improved(net(*shuffle("x", "s", 2), conv("s", "y", group=4), **grouped), "Channels", "Conv")


def test_shuffles_that_undo_each_other_go_away():
    graph = net(*shuffle("x", "a", 2), *shuffle("a", "b", 2), act("b", "y", "relu"))
    improved(graph, "Activation")


def test_what_moves_more_than_channels_is_no_shuffle():
    graph = net(
        node("Reshape", "a", ["x"], "a", shape=(None, 2, 2, 6, 6)),
        node("Transpose", "t", ["a"], "t", order=(0, 2, 1, 4, 3)),
        node("Reshape", "y", ["t"], "y", shape=(None, 4, 6, 6)),
    )
    improved(graph, "Reshape", "Transpose", "Reshape")


@pytest.mark.parametrize("run", PASSES, ids=lambda run: run.__name__)
@given(st.integers(0, 2**32))
def test_no_pass_changes_a_random_net(run, seed):
    graph = random_net(np.random.default_rng(seed))
    x = np.random.default_rng(seed).standard_normal((2, 4, 6, 6))
    before = run_graph(graph, x)[0]
    for start in (graph, improve(graph)):
        np.testing.assert_allclose(run_graph(run(start), x)[0], before, rtol=1e-3, atol=1e-4)


def test_a_scale_behind_an_activation_stays():
    graph = net(conv("x", "c"), act("c", "a", "relu"), **FILTERS)
    fused = fuse_activation(graph)
    weights = {**fused.weights, "s": array(4), "t": array(4)}
    scaled = replace(fused, nodes=(*fused.nodes, scale("a", "y")), weights=weights, outputs=("y",))
    improved(scaled, "Conv", "Scale")


def random_net(draw) -> Graph:
    """Some nodes after each other on (N, 4, 6, 6), each reading any of what is there."""
    weights = {
        "w": draw.standard_normal((4, 4, 1, 1)), "w3": draw.standard_normal((4, 1, 3, 3)),
        "b": draw.standard_normal(4), "s": draw.standard_normal(4), "t": draw.standard_normal(4),
        "c": draw.standard_normal((4, 1, 1)), "one": np.ones(()), "six": np.array(6.0),
    }  # fmt: skip
    names, nodes = ["x"], []
    for number in range(draw.integers(2, 9)):
        y, a, b = f"t{number}", *(names[-draw.integers(1, min(3, len(names)) + 1)] for _ in "ab")
        made = [
            lambda: conv(a, y),  # noqa: B023
            lambda: conv(a, y, "w3", group=4, **SAME),  # noqa: B023
            lambda: scale(a, y),  # noqa: B023
            lambda: act(a, y, "sigmoid"),  # noqa: B023
            lambda: act(a, y, "clip", 0, 6),  # noqa: B023
            lambda: sum_of(a, b, y),  # noqa: B023
            lambda: sum_of(a, b, y, "mul"),  # noqa: B023
            lambda: sum_of(a, "c", y, draw.choice(["add", "mul"])),  # noqa: B023
            lambda: sum_of("one", a, y, "sub"),  # noqa: B023
            lambda: sum_of(a, "six", y, "div"),  # noqa: B023
            lambda: node("Transpose", y, [a], y, order=(0, 1, 3, 2)),  # noqa: B023
            lambda: node("MaxPool", y, [a], y, kernel=(1, 1)),  # noqa: B023
            lambda: shuffle(a, y, draw.choice([2, 4])),  # noqa: B023
            lambda: (
                halves(a, f"{y}.l", f"{y}.r"),  # noqa: B023
                node("Concat", y, [f"{y}.r", f"{y}.l"], y, axis=1),  # noqa: B023
            ),
        ][draw.integers(14)]()
        nodes += made if isinstance(made, tuple) else [made]
        names.append(y)
    return net(*nodes, **weights)


def test_a_constant_per_token_is_no_bias():
    """Of 20 tokens with 20 outputs (20, 1) is one number per token, not per output."""
    gemm = node("Gemm", "g", ["x", "w", "b"], "g")
    weights = {"w": array(20, 6), "b": array(20), "c": array(20, 1)}
    tokens = {"x": (None, 20, 6)}
    improved(net(gemm, sum_of("g", "c", "y"), inputs=tokens, **weights), "Gemm", "Scale")


def test_constants_per_output_are_part_of_the_product():
    """Batch normalization of tokens: times (20,), plus (20,), times (1, 20)."""
    nodes = (
        node("Gemm", "g", ["x", "w", "b"], "g"),
        sum_of("g", "c", "h", "mul"),
        sum_of("d", "h", "i"),
        sum_of("i", "e", "y", "mul"),
    )
    weights = {"w": array(20, 6), "b": array(20), "c": array(20), "d": array(20), "e": array(1, 20)}
    improved(net(*nodes, inputs={"x": (None, 20, 6)}, **weights), "Gemm")
