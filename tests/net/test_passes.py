"""A pass leaves less to do and changes no answer."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.net.graph import node
from darter.net.ops import Activation
from darter.net.passes import improve
from tests.net.small_graphs import FILTERS, SAME, act, array, conv, improved, net, scale, sum_of


def test_batch_norm_moves_into_the_convolution_before_it():
    graph = net(conv("x", "c"), scale("c", "y"), **FILTERS, s=array(4), t=array(4))
    improved(graph, "Conv")


def test_batch_norm_before_a_convolution_moves_only_where_the_border_stays_right():
    values = {"s": array(4), "t": array(4), **FILTERS}
    improved(net(scale("x", "n"), conv("n", "y"), **values), "Conv")
    improved(net(scale("x", "n"), conv("n", "y", **SAME), **values), "Scale", "Conv")
    values["t"] = np.zeros(4)
    improved(net(scale("x", "n"), conv("n", "y", **SAME), **values), "Conv")


@given(st.sampled_from([1, 2, 4]), st.booleans())
def test_scales_fold_into_grouped_filters(group, before):
    values = {"w": array(4, 4 // group, 3, 3), "b": array(4), "s": array(4), "t": array(4)}
    nodes = (
        [scale("x", "n"), conv("n", "y", group=group)]
        if before
        else [conv("x", "c", group=group), scale("c", "y")]
    )
    improved(net(*nodes, **values), "Conv")


def test_what_two_readers_share_is_not_folded_away():
    graph = net(
        conv("x", "c", **SAME), scale("c", "n"), sum_of("c", "n", "y"),
        **FILTERS, s=array(4), t=array(4),
    )  # fmt: skip
    improved(graph, "Conv", "Scale", "Eltwise")


def test_two_scales_are_one():
    graph = net(
        scale("x", "a"), scale("a", "y", "s2", "t2"),
        s=array(4), t=array(4), s2=array(4), t2=array(4),
    )  # fmt: skip
    improved(graph, "Scale")


@pytest.mark.parametrize("function", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1), (1, 4, 1, 1)])
def test_arithmetic_per_channel_is_a_scale(function, left, shape):
    names = ("c", "x") if left else ("x", "c")
    graph = net(sum_of(*names, "y", function), c=array(*shape) + 3)
    improved(graph, "Eltwise" if function == "div" and left else "Scale")


@pytest.mark.parametrize("shape", [(6,), (6, 1), (4, 6, 6)])
def test_arithmetic_along_other_axes_is_not(shape):
    improved(net(sum_of("x", "c", "y"), c=array(*shape)), "Eltwise")


@pytest.mark.parametrize("kind", [Activation("relu"), Activation("clip", 0, 6)])
def test_activations_move_into_what_they_follow(kind):
    graph = net(conv("x", "c"), act("c", "y", kind.kind, kind.a, kind.b), **FILTERS)
    assert improved(graph, "Conv").nodes[0].attributes["activation"] == kind


def residual(*, before, behind):
    nodes = [conv("x", "c", **SAME)]
    last = "c"
    if before:
        nodes.append(act("c", "f", "relu"))
        last = "f"
    nodes.append(sum_of("x", last, "sum"))
    if behind:
        nodes.append(act("sum", "y", "relu"))
    return net(*nodes, **FILTERS)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("behind", [True, False])
def test_residual_sums_move_into_the_convolution(before, behind):
    ops = ["Conv", "Eltwise"] if before and behind else ["Conv"]
    new = improved(residual(before=before, behind=behind), *ops)
    if len(ops) == 1:
        assert new.nodes[0].attributes["activation_after_residual"] != before


def test_of_two_convolutions_the_later_takes_the_sum():
    graph = net(
        conv("x", "a", **SAME), conv("x", "c", "w2", **SAME), sum_of("a", "c", "y"),
        **FILTERS, w2=array(4, 4, 3, 3),
    )  # fmt: skip
    new = improved(graph, "Conv", "Conv")
    assert [len(each.inputs) for each in new.nodes] == [3, 4]


def test_twice_the_same_and_broadcast_sums_stay():
    improved(net(conv("x", "c"), sum_of("c", "c", "y"), **FILTERS), "Conv", "Eltwise")
    pool = node("GlobalAveragePool", "p", ["x"], "p")
    graph = net(pool, conv("x", "c", **SAME), sum_of("c", "p", "y"), **FILTERS)
    assert "Eltwise" in [each.op for each in improve(graph).nodes]


def test_swish_and_hard_swish():
    improved(net(act("x", "g", "sigmoid"), sum_of("x", "g", "y", "mul")), "Activation")
    gate = act("x", "g", "hard_sigmoid", 1 / 6, 0.5)
    new = improved(net(gate, sum_of("g", "x", "y", "mul")), "Activation")
    assert new.nodes[0].attributes["activation"] == Activation("hard_swish")
    other = act("x", "g", "hard_sigmoid", 0.2, 0.5)
    improved(net(other, sum_of("g", "x", "y", "mul")), "Activation", "Eltwise")


def clip6(*rest):
    return net(
        sum_of("x", "three", "p"), act("p", "c", "clip", 0, 6), *rest, three=3, six=6,
    )  # fmt: skip


def test_hard_swish_written_out():
    new = improved(clip6(sum_of("c", "six", "y", "div")), "Activation")
    assert new.nodes[0].attributes["activation"].kind == "hard_sigmoid"
    product, quotient = sum_of("x", "c", "m", "mul"), sum_of("m", "six", "y", "div")
    new = improved(clip6(product, quotient), "Activation")
    assert new.nodes[0].attributes["activation"].kind == "hard_swish"


@pytest.mark.parametrize("half_first", [True, False])
def test_gelu_written_out(half_first):
    nodes = [
        sum_of("x", "root", "d", "div"), act("d", "e", "erf"), sum_of("e", "one", "p"),
    ]  # fmt: skip
    if half_first:
        nodes += [sum_of("x", "half", "h", "mul"), sum_of("h", "p", "y", "mul")]
    else:
        nodes += [sum_of("x", "p", "m", "mul"), sum_of("m", "half", "y", "mul")]
    graph = net(*nodes, root=sqrt(2), one=1, half=0.5)
    new = improved(graph, "Activation")
    assert new.nodes[0].attributes["activation"].kind == "gelu"


@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_written_out(affine):
    def mean(source, target):
        return node("Reduce", target, [source], target, function="mean", axes=(2,), keep_dims=True)

    nodes = [
        mean("x", "m"), sum_of("x", "m", "c", "sub"), act("c", "q", "power", 2.0), mean("q", "v"),
        sum_of("v", "eps", "e"), act("e", "r", "sqrt"), sum_of("c", "r", "n", "div"),
    ]  # fmt: skip
    if affine:
        nodes += [sum_of("n", "g", "ng", "mul"), sum_of("ng", "t", "y")]
    graph = net(
        *nodes, inputs={"x": (None, 5, 7)}, eps=1e-5, g=array(7), t=array(7)
    )  # fmt: skip
    improved(graph, "LayerNorm")
