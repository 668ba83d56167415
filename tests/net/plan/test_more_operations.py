"""What reshapes, reduces, normalizes, pads, resizes and recurs, against its plain numpy form."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from darter.kernels import available_isas, using_isa
from darter.net.graph import node
from darter.net.ops import ACTIVATIONS, Activation
from tests.net.plan import test_operations
from tests.net.plan.checked import array, check, conv, net


def test_reshape_transpose_expand_and_products_of_two():
    nodes = (
        node("Reshape", "a", ["x"], "a", shape=(None, 20, 42)),
        node("Transpose", "b", ["a"], "b", order=(0, 2, 1)),
        node("MatMul", "m", ["a", "b"], "m"),
        node("Softmax", "y", ["m"], "y", axis=-1),
        node("Softmax", "l", ["x"], "l", axis=1, log=True),
        node("Reduce", "r", ["x"], "r", function="max", axes=(2,), keep_dims=True),
        node("Expand", "e", ["r"], "e", shape=(None, 20, 5, 7)),
    )
    check(net(*nodes, outputs=("y", "l", "e")))


@pytest.mark.parametrize("function", ["mean", "sum", "max", "min", "l2"])
@pytest.mark.parametrize("axes", [(2, 3), (1,), (1, 3)])
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(function, axes, keep):
    first, weights = conv("x", "c", 20, 20, side=1)
    made = node("Reduce", "y", ["c"], "y", function=function, axes=axes, keep_dims=keep)
    check(net(first, made, **weights))


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_layer_norm(axis):
    shape = (20, 6, 7)[axis - 1 if axis > 0 else axis :]
    made = node("LayerNorm", "y", ["x", "s", "t"], "y", axis=axis)
    check(net(made, s=array(*shape), t=array(*shape)))


@pytest.mark.parametrize("c", [20, 32])
def test_channel_norm_and_lrn(c):
    nodes = (
        node("ChannelNorm", "n", ["x", "s", "t"], "n"),
        node("LRN", "y", ["n"], "y", size=4, alpha=0.5),
    )
    check(net(*nodes, shape=(c, 6, 7), s=array(c), t=array(c)))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_padding(mode):
    made = node("Pad", "y", ["x"], "y", pads=(0, 0, 2, 1, 0, 0, 0, 3), mode=mode, value=0.5)
    check(net(made))


@pytest.mark.parametrize("isa", available_isas())
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_borders_of_depthwise_convolutions(isa, data):
    """Every side of the filter with a loop of its own, and others; every kind of padding."""
    sides, two = st.integers(1, 8), st.integers(1, 2)
    r, s = data.draw(sides), data.draw(sides)
    dilations = data.draw(st.tuples(two, two))
    h, w = data.draw(st.integers(4, 12)), data.draw(st.integers(4, 30))
    pads = data.draw(st.tuples(*[st.integers(0, 3)] * 4))
    reach = [(side - 1) * step + 1 for side, step in zip((r, s), dilations, strict=True)]
    assume(reach[0] <= h + pads[0] + pads[2] and reach[1] <= w + pads[1] + pads[3])
    strides = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    made = node(
        "Conv", "y", ["x", "w", "b"], "y", pads=pads, strides=strides, dilations=dilations,
        group=20, border=data.draw(st.sampled_from(["zeros", "reflect", "edge"])),
    )  # fmt: skip
    graph = net(made, shape=(20, h, w), w=array(20, 1, r, s), b=array(20))
    with using_isa(isa):
        check(graph, batches=(2,))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(
    "coordinates", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
)
@pytest.mark.parametrize("size", [(12, 14), (4, 5), (1, 9)])
def test_resizing(mode, coordinates, size):
    scales = (size[0] / 6, size[1] / 7)
    made = node(
        "Resize", "y", ["x"], "y", size=size, scales=scales, mode=mode, coordinates=coordinates
    )
    check(net(made))


@pytest.mark.parametrize("isa", available_isas())
def test_every_instruction_set_agrees(isa):
    with using_isa(isa):
        test_operations.test_squeeze_and_excite()
        test_operations.test_products_of_pixels()
        test_channel_norm_and_lrn(20)
        test_operations.test_scale_and_prelu()
        test_operations.test_fully_connected(512, 40)
        test_operations.test_joins((16, 32, 20))
        test_resizing("cubic", "half_pixel", (12, 14))
        test_operations.test_global_pools("GlobalMaxPool")
        for kind in ACTIVATIONS:
            test_operations.test_activations(kind, True)


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_reset_after"])
@given(
    n=st.integers(1, 5),
    steps=st.integers(1, 6),
    size=st.integers(1, 40),
    backward=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_recurrent_layers(isa, kind, n, steps, size, backward):
    gates = (4 if kind == "lstm" else 3) * size
    made = node("Recurrent", "y", ["x", "r", "b"], "y", kind=kind, backward=backward)
    weights = {"r": array(gates, size) / size**0.5, "b": array(size)}
    with using_isa(isa):
        check(net(made, shape=(steps, gates), **weights), batches=(n,))


@pytest.mark.parametrize("isa", available_isas())
@given(
    c=st.sampled_from([1, 5, 16, 24, 36]),
    groups=st.sampled_from([1, 2, 4, "all"]),
    pixels=st.sampled_from([(1, 1), (7, 3), (20, 30)]),
    far=st.sampled_from([0, 100]),
)
@settings(max_examples=15, deadline=None)
def test_group_normalization(isa, c, groups, pixels, far):
    groups = c if groups == "all" or c % groups else groups
    nodes = (
        node("Eltwise", "f", ["x", "far"], "f", function="add"),
        node("GroupNorm", "y", ["f", "s", "t"], "y", groups=groups, epsilon=1e-2),
    )
    weights = {"far": np.float32(far), "s": array(c), "t": array(c)}
    with using_isa(isa):
        check(net(*nodes, shape=(c, *pixels), **weights), tolerance=2e-5 * (1 + far))


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("square", [(1, 2), (2, 2), (3, 1)])
@pytest.mark.parametrize("c", [1, 5, 16, 40])
def test_depth_to_space(channels_first, square, c):
    made = node("DepthToSpace", "y", ["x"], "y", square=square, channels_first=channels_first)
    check(net(made, shape=(c * square[0] * square[1], 3, 4)), tolerance=0)


@pytest.mark.parametrize("least", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_the_place_of_the_largest(least, last, keep, axis):
    nodes = (
        node("Activation", "r", ["x"], "r", activation=Activation("relu")),
        node("Arg", "y", ["r"], "y", axis=axis, least=least, last=last, keep_dims=keep),
    )
    check(net(*nodes), tolerance=0)


@pytest.mark.parametrize("function", ["less", "less_equal", "equal"])
def test_comparisons(function):
    nodes = (
        node("Activation", "r", ["x"], "r", activation=Activation("relu")),
        node("Eltwise", "c", ["r", "z"], "c", function=function),
        node("Where", "y", ["c", "x", "z"], "y"),
    )
    check(net(*nodes, z=np.zeros((1, 7))), tolerance=0)
