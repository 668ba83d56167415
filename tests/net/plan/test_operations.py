"""Every operation, planned and run, against its plain numpy form; memory poisoned with NaN."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from darter.kernels import available_isas, using_isa
from darter.net.graph import Graph, Node, needed, node
from darter.net.ops import ACTIVATIONS, OPS, Activation
from darter.net.plan import Program
from darter.net.plan.emit import EMIT
from tests.references.net import run_graph

RNG = np.random.default_rng(2)
CHANNELS = [1, 3, 16, 24, 32, 40]


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def net(*nodes: Node, shape=(20, 6, 7), outputs=None, **weights) -> Graph:
    weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    outputs = outputs or (nodes[-1].output,)
    return needed(Graph(nodes, {"x": (None, *shape)}, outputs, weights))


def check(graph: Graph, *, tolerance=2e-5, batches=(1, 3), positive=False):
    """The plan's outputs are the reference's, whatever the memory held before."""
    for batch in batches:
        x = array(batch, *graph.inputs["x"][1:])
        x = np.abs(x) + 0.1 if positive else x
        program = Program(graph, batch)
        program._core.poison()
        found = program.run(x)
        found = found if isinstance(found, list) else [found]
        for ours, truth in zip(found, run_graph(graph, x), strict=True):
            assert ours.shape == truth.shape
            scale = max(1.0, float(np.abs(truth).max()))
            np.testing.assert_allclose(ours, truth, rtol=0, atol=tolerance * scale)
        again = program.run(x)
        again = again if isinstance(again, list) else [again]
        for first, second in zip(found, again, strict=True):
            assert np.array_equal(first, second)


def conv(x, y, k, c, *, side=3, **attributes):
    """A node and its weights."""
    per_group = c // attributes.get("group", 1)
    made = node("Conv", y, [x, f"{y}.w", f"{y}.b"], y, **attributes)
    return made, {f"{y}.w": array(k, per_group, side, side) / (3 * side), f"{y}.b": array(k)}


def test_every_operation_has_a_step():
    assert EMIT.keys() == OPS.keys()


@given(
    c=st.sampled_from(CHANNELS),
    k=st.sampled_from(CHANNELS),
    side=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    pads=st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 2)]),
    kind=st.sampled_from([None, "relu", "clip", "swish", "sigmoid", "gelu", "leaky_relu"]),
)
@settings(max_examples=30, deadline=None)
def test_convolutions(c, k, side, stride, pads, kind):
    activation = kind and Activation(kind, 0.1, 6.0)
    made, weights = conv(
        "x", "y", k, c, side=side, strides=(stride, stride), pads=pads, activation=activation
    )
    check(net(made, shape=(c, 9, 8), **weights))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [None, "relu", "swish"])
@pytest.mark.parametrize("c", [16, 20])
def test_residuals(c, kind, after):
    activation = kind and Activation(kind)
    first, weights = conv("x", "a", c, c, pads=(1, 1, 1, 1))
    last = node(
        "Conv", "y", ["a", "v", "u", "x"], "y",
        pads=(1, 1, 1, 1), activation=activation, activation_after_residual=after,
    )  # fmt: skip
    end = node("Eltwise", "z", ["y", "y"], "z", function="add")
    weights |= {"v": array(c, c, 3, 3) / 9, "u": array(c)}
    check(net(first, last, end, shape=(c, 9, 8), **weights))


def test_an_input_that_is_also_added_is_not_overwritten():
    first, weights = conv("x", "a", 16, 16, side=1)
    last = node("Conv", "y", ["a", "v", "u", "a"], "y", pads=(1, 1, 1, 1))
    weights |= {"v": array(16, 16, 3, 3) / 9, "u": array(16)}
    check(net(first, last, shape=(16, 9, 8), **weights))


@pytest.mark.parametrize(("c", "k"), [(512, 40), (40, 1000), (2000, 17)])
def test_fully_connected(c, k):
    flat = node("Reshape", "f", ["x"], "f", shape=(None, c))
    product = node("Gemm", "y", ["f", "w", "b"], "y", activation=Activation("relu"))
    weights = {"w": array(k, c) / c**0.5, "b": array(k)}
    check(net(flat, product, shape=(c, 1, 1), **weights), batches=(1, 3, 33))


def test_products_of_pixels():
    """Channels last, as transformers and ConvNeXt write it."""
    nodes = (
        node("Transpose", "t", ["x"], "t", order=(0, 2, 3, 1)),
        node("LayerNorm", "n", ["t", "s", "h"], "n", axis=-1),
        node("Gemm", "g", ["n", "w", "b"], "g", activation=Activation("gelu")),
        node("Gemm", "k", ["g", "v", "d"], "k"),
        node("Transpose", "u", ["k"], "u", order=(0, 3, 1, 2)),
        node("Eltwise", "y", ["x", "u"], "y", function="add"),
    )
    weights = {
        "s": array(20), "h": array(20), "w": array(80, 20) / 4, "b": array(80),
        "v": array(20, 80) / 9, "d": array(20),
    }  # fmt: skip
    check(net(*nodes, **weights))


@given(
    op=st.sampled_from(["MaxPool", "AveragePool"]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 2),
    ceil=st.booleans(),
    count=st.booleans(),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_pools(op, kernel, strides, dilation, ceil, count, data):
    reach = [min((k - 1) * dilation, 2) for k in kernel]
    pads = tuple(data.draw(st.integers(0, most)) for most in reach * 2)
    made = node(
        op, "y", ["x"], "y", kernel=kernel, strides=strides, pads=pads,
        dilations=(dilation, dilation), ceil=ceil,
        **({"count_padding": count} if op == "AveragePool" else {}),
    )  # fmt: skip
    check(net(made, shape=(20, 11, 9)))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(op):
    check(net(node(op, "y", ["x"], "y")))


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("blocked", [False, True])
def test_activations(kind, blocked):
    first, weights = conv("x", "c", 20, 20, side=1)
    source = "c" if blocked else "x"
    made = node("Activation", "y", [source], "y", activation=Activation(kind, 0.2, 0.5))
    check(net(first, made, **weights) if blocked else net(made))


@pytest.mark.parametrize("function", ["add", "sub", "mul", "div", "min", "max", "pow"])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("shape", [(), (20, 1, 1), (20, 6, 7), (1, 7)])
@pytest.mark.parametrize("swapped", [False, True])
def test_eltwise_with_weights(function, blocked, shape, swapped):
    first, weights = conv("x", "c", 20, 20, side=1, activation=Activation("sigmoid"))
    inputs = ["c" if blocked else "x", "k"]
    inputs = inputs[::-1] if swapped else inputs
    made = node("Eltwise", "y", inputs, "y", function=function, activation=Activation("relu"))
    weights |= {"k": np.abs(array(*shape)) + 0.5}
    check(net(*([first] if blocked else []), made, **weights), positive=True)


def test_squeeze_and_excite():
    first, weights = conv("x", "c", 20, 20, side=1)
    squeeze, more = conv("p", "s", 8, 20, side=1, activation=Activation("swish"))
    excite, most = conv("s", "e", 20, 8, side=1, activation=Activation("sigmoid"))
    nodes = (
        first,
        node("GlobalAveragePool", "p", ["c"], "p"),
        squeeze,
        excite,
        node("Eltwise", "y", ["c", "e"], "y", function="mul"),
    )
    check(net(*nodes, **weights, **more, **most))


def test_scale_and_prelu():
    nodes = (
        node("Scale", "a", ["x", "s", "t"], "a", activation=Activation("relu")),
        node("PRelu", "b", ["x", "p"], "b"),
        node("Eltwise", "y", ["a", "b"], "y", function="sub"),
    )
    check(net(*nodes, s=array(20), t=array(20), p=array(20, 1, 1)))


@pytest.mark.parametrize("sizes", [(16, 32, 20), (20, 16, 4), (16, 16, 16)])
def test_joins(sizes):
    """Also of what is joined again, and of what others read."""
    made, weights = [], {}
    for i, size in enumerate(sizes):
        each, more = conv("x", f"c{i}", size, 20, pads=(1, 1, 1, 1))
        made.append(each)
        weights |= more
    total = sum(sizes)
    nodes = (
        *made,
        node("Concat", "j", ["c0", "c1"], "j", axis=1),
        node("Activation", "r", ["c0"], "r", activation=Activation("relu")),
        node("Concat", "k", ["c0", "c1", "c2"], "k", axis=1),
        node("Concat", "d", ["r", "k", "x"], "d", axis=1),
        node("MaxPool", "y", ["d"], "y", kernel=(2, 2)),
    )
    last, more = conv("d", "z", 16, total + sizes[0] + 20)
    check(net(*nodes, last, outputs=("y", "j", "z"), **weights, **more))


@pytest.mark.parametrize("cut", [16, 7])
def test_split_slice_and_shuffle(cut):
    first, weights = conv("x", "c", 40, 20, side=1)
    nodes = (
        first,
        Node("Split", "s", ("c",), ("a", "b"), {"axis": 1, "sizes": (cut, 40 - cut)}),
        node("Slice", "d", ["c"], "d", axis=1, start=1, stop=40, step=3),
        node("Slice", "e", ["c"], "e", axis=3, start=1, stop=7, step=2),
        node("Reshape", "f", ["c"], "f", shape=(None, 2, 20, 6, 7)),
        node("Transpose", "g", ["f"], "g", order=(0, 2, 1, 3, 4)),
        node("Reshape", "h", ["g"], "h", shape=(None, 40, 6, 7)),
        node("MaxPool", "p", ["b"], "p", kernel=(2, 2)),
    )
    last, more = conv("h", "y", 16, 40)
    outputs = ("a", "b", "d", "e", "p", "y")
    check(net(*nodes, last, outputs=outputs, **weights, **more))


@given(st.data())
@settings(deadline=None)
def test_channels_are_chosen_from_several(data):
    """Single ones, whole blocks, and blocks whose rest belongs to nobody."""
    sizes = data.draw(st.lists(st.sampled_from([3, 16, 20, 40]), min_size=1, max_size=3))
    made = [conv("x", f"c{i}", size, 20, side=1) for i, size in enumerate(sizes)]
    one = st.tuples(st.integers(0, len(sizes) - 1), st.integers(0, 39)).map(
        lambda source: [(source[0], source[1] % sizes[source[0]])]
    )
    whole = st.integers(0, len(sizes) - 1).map(lambda i: [(i, c) for c in range(sizes[i])])
    runs = data.draw(st.lists(one | whole, min_size=1, max_size=20))
    sources = tuple(source for run in runs for source in run)
    names = [f"c{i}" for i in range(len(sizes))]
    choice = node("Channels", "y", names, "y", sources=sources)
    weights = {name: array for _, more in made for name, array in more.items()}
    check(net(*(each for each, _ in made), choice, **weights))


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
        test_squeeze_and_excite()
        test_products_of_pixels()
        test_channel_norm_and_lrn(20)
        test_scale_and_prelu()
        test_fully_connected(512, 40)
        test_joins((16, 32, 20))
        test_resizing("cubic", "half_pixel", (12, 14))
        test_global_pools("GlobalMaxPool")
        for kind in ACTIVATIONS:
            test_activations(kind, True)


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
