"""Tensors that are kept in 16 bits between layers: every step that reads or writes them.

Small whole numbers survive bfloat16 and every sum here, so that what is not transformed must come
out exactly as the plain reference says; the rest within the rounding of a few layers.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darter.conv import ConvSpec
from darter.kernels import (
    Element,
    active_isa,
    available_isas,
    has_bfloat16,
    steps,
    using_isa,
)
from darter.net.graph import Graph, Node, needed, node
from darter.net.ops import Activation
from darter.net.plan import Options, Program
from darter.net.plan.algorithm import algorithm_for
from tests.references.net import run_graph

ROUNDING = 2.0**-8  # of one number
RNG = np.random.default_rng(5)


def whole_numbers(*shape):
    return RNG.integers(-1, 2, shape).astype(np.float32)


def net(*nodes: Node, shape, outputs=None, **weights) -> Graph:
    outputs = outputs or (nodes[-1].output,)
    return needed(Graph(nodes, {"x": (None, *shape)}, outputs, weights))


def conv(x, y, k, c, *extra, side=1, numbers=whole_numbers, **attributes):
    """A node and its weights; few are not 0, so that sums stay small."""
    w = numbers(k, c // attributes.get("group", 1), side, side)
    w *= RNG.random(w.shape) < 5 / (w[0].size + 5)
    made = node("Conv", y, [x, f"{y}.w", f"{y}.b", *extra], y, **attributes)
    return made, {f"{y}.w": w, f"{y}.b": numbers(k)}


def answers(graph, x, precision="bfloat16"):
    program = Program(graph, len(x), precision=precision)
    program._core.poison()
    found = program.run(x)
    return found if isinstance(found, list) else [found]


def check(graph, *, exact, numbers=whole_numbers, batches=(1, 3)):
    for batch in batches:
        x = numbers(batch, *graph.inputs["x"][1:])
        for ours, truth in zip(answers(graph, x), run_graph(graph, x), strict=True):
            if exact:
                np.testing.assert_array_equal(ours, truth)
            else:
                within = 8 * ROUNDING * max(1.0, float(np.abs(truth).max()))
                np.testing.assert_allclose(ours, truth, rtol=0, atol=within)


@pytest.fixture(params=available_isas(), autouse=True)
def isa(request):
    with using_isa(request.param):
        yield request.param


channels = st.sampled_from([3, 16, 20, 40])


@given(
    c=channels,
    k=channels,
    side=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    pads=st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 2)]),
    kind=st.sampled_from([None, "relu", "clip", "leaky_relu"]),
    then=st.sampled_from([1, 3]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_convolutions_after_one_another(isa, c, k, side, stride, pads, kind, then):
    activation = kind and Activation(kind, 0.5 if kind == "leaky_relu" else -4.0, 6.0)
    first, weights = conv(
        "x", "y", k, c, side=side, strides=(stride, stride), pads=pads, activation=activation
    )
    second, more = conv("y", "z", 24, k, side=then, pads=(then // 2,) * 4)
    check(net(first, second, shape=(c, 9, 8), **weights, **more), exact=False)


@pytest.mark.parametrize(
    "side, stride, pads", [(1, 1, (0,) * 4), (2, 2, (0,) * 4), (2, 1, (1,) * 4)]
)
def test_products_are_exact(side, stride, pads):
    first, weights = conv("x", "y", 32, 16, strides=(stride, stride), side=side, pads=pads)
    second, more = conv("y", "z", 20, 32)
    check(net(first, second, shape=(16, 9, 8), **weights, **more), exact=True)


@pytest.mark.parametrize("side, stride", [(3, 1), (3, 2), (5, 1), (6, 1)])
@pytest.mark.parametrize("kind", [None, "relu", "leaky_relu"])
def test_depthwise_layers_are_exact(side, stride, kind):
    activation = kind and Activation(kind, 0.5)
    first, weights = conv("x", "w", 20, 20)
    given = {"strides": (stride, stride), "pads": (1,) * 4, "activation": activation}
    second, more = conv("w", "z", 20, 20, side=side, group=20, **given)
    check(net(first, second, shape=(20, 12, 9), **weights, **more), exact=True)


@pytest.mark.parametrize("width", [1, 2, 5, 12, 13, 25, 40])
@pytest.mark.parametrize("side", [3, 4, 5])
@pytest.mark.parametrize("before, after", [(2, 2), (0, 1)])
def test_depthwise_rows_of_any_width_are_exact(width, side, before, after):
    if width + before + after < side:
        return
    first, weights = conv("x", "w", 20, 20)
    pads = (before, before, after, after)
    second, more = conv("w", "z", 20, 20, side=side, group=20, pads=pads)
    check(net(first, second, shape=(20, 6, width), **weights, **more), exact=True, batches=(2,))


@pytest.mark.parametrize("group", [1, 32])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [None, "relu", "leaky_relu"])
@pytest.mark.parametrize("side", [1, 2])
def test_residuals_are_exact(kind, after, side, group):
    activation = kind and Activation(kind, 0.5)
    first, weights = conv("x", "y", 32, 16)
    given = {"activation": activation, "activation_after_residual": after, "group": group}
    second, more = conv("y", "z", 32, 32, "y", side=side, pads=(side - 1, 0, 0, side - 1), **given)
    third, last = conv("z", "out", 16, 32)
    check(net(first, second, third, shape=(16, 6, 5), **weights, **more, **last), exact=True)


def test_joins_splits_and_shuffles_are_exact():
    first, weights = conv("x", "a", 16, 16)
    second, more = conv("x", "b", 20, 16)
    joined = node("Concat", "ab", ["a", "b"], "ab", axis=1)
    again = node("Concat", "abx", ["ab", "b", "a"], "abx", axis=1)
    split = Node("Split", "s", ("abx",), ("head", "tail"), {"axis": 1, "sizes": (40, 32)})
    sources = tuple((0, 31 - i) for i in range(32))
    turned = node("Channels", "t", ["tail"], "t", sources=sources)
    last, rest = conv("t", "out", 16, 32)
    graph = net(
        *(first, second, joined, again, split, turned, last),
        shape=(16, 5, 4),
        outputs=("out", "head"),
        **(weights | more | rest),
    )
    check(graph, exact=True)


@pytest.mark.parametrize("function", ["add", "sub", "mul", "max", "min"])
def test_two_tensors_and_a_gate(function):
    first, weights = conv("x", "a", 20, 16)
    second, more = conv("x", "b", 20, 16)
    both = node("Eltwise", "c", ["a", "b"], "c", function=function)
    pooled = node("GlobalMaxPool", "g", ["c"], "g")
    gated = node("Eltwise", "d", ["c", "g"], "d", function="add")
    last, rest = conv("d", "out", 16, 20)
    graph = net(
        *(first, second, both, pooled, gated, last),
        shape=(16, 5, 4),
        outputs=("out", "d"),
        **(weights | more | rest),
    )
    check(graph, exact=False)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools(op):
    first, weights = conv("x", "a", 20, 16)
    pool = node(op, "p", ["a"], "p", kernel=(3, 2), strides=(2, 1), pads=(1, 0, 1, 1))
    last, rest = conv("p", "out", 16, 20)
    graph = net(first, pool, last, shape=(16, 7, 9), outputs=("out", "p"), **weights, **rest)
    check(graph, exact=op == "MaxPool")


@pytest.mark.parametrize("kind", ["swish", "sigmoid", "gelu", "hard_swish"])
@pytest.mark.parametrize("side", [1, 3])
def test_activations_see_sums_that_are_not_rounded(kind, side):
    def numbers(*shape):
        return RNG.standard_normal(shape).astype(np.float32)

    first, weights = conv("x", "a", 32, 16, numbers=numbers)
    made, more = conv("a", "y", 32, 32, side=side, numbers=numbers, activation=Activation(kind))
    own = node("Activation", "z", ["y"], "z", activation=Activation(kind))
    check(net(first, made, own, shape=(16, 9, 9), **weights, **more), exact=False, numbers=numbers)


def test_steps_that_know_only_floats_are_given_floats():
    first, weights = conv("x", "a", 20, 16)
    soft = node("LRN", "l", ["a"], "l", size=3, alpha=0.1, beta=0.5, bias=1.0)
    resized = node("Transpose", "t", ["l"], "t", order=(0, 2, 3, 1))
    check(net(first, soft, resized, shape=(16, 5, 4), **weights), exact=False)


def test_half_the_memory_is_taken():
    if not has_bfloat16():
        pytest.skip("this instruction set has no bfloat16: tensors stay float32")
    layers, weights, name = [], {}, "x"
    for i in range(4):
        made, more = conv(name, f"y{i}", 64, 64)
        layers.append(made)
        weights |= more
        name = f"y{i}"
    graph = net(*layers, shape=(64, 32, 32), **weights)
    wide, narrow = (Program(graph, 1, precision=p) for p in ("float32", "bfloat16"))
    assert narrow.arena_bytes <= 0.8 * wide.arena_bytes


def test_numbers_are_rounded_to_nearest_even():
    if not has_bfloat16():
        pytest.skip("this instruction set has no bfloat16")
    x = np.float32([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 3e38, 1e-3, 0, np.inf, -np.inf] * 2)
    array = (1, 16, 1, 1, 1)
    core = steps.Program(0)
    to_half = steps.activation_step(
        (*array, Element.float32), (*array, Element.bfloat16), (steps.ActivationKind.none, 0, 0)
    )
    core.add(to_half, [(steps.Where.input, 0)], [(steps.Where.output, 0)])
    found = np.empty(16, np.uint16)
    core.run([x], [found], 1, False)
    bits = x.view(np.uint32).astype(np.uint64)
    expected = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("side", [1, 3])
def test_rounding_the_weights_does_not_shift_what_equal_inputs_give(side):
    """Each filter's sum is kept: roundings to nearest would add up to ten times as much."""
    w = np.random.default_rng(0).normal(size=(40, 512, side, side)).astype(np.float32)
    w -= w.mean((1, 2, 3), keepdims=True)
    graph = net(
        node("Conv", "y", ["x", "w", "b"], "y"),
        shape=(512, side, side), w=w, b=np.zeros(40, np.float32),
    )  # fmt: skip
    x = np.ones((1, 512, side, side), np.float32)
    truth = run_graph(graph, x)[0]
    assert np.abs(answers(graph, x)[0] - truth).max() < 0.02


@pytest.mark.parametrize("cpu, expected", [("AMD", "direct-bfloat16"), ("Intel Xeon", "direct")])
def test_few_filters_are_multiplied_as_the_tensors_are_kept(cpu, expected, monkeypatch):
    """Rounding what is read would cost more than the few products save, but it is rounded."""
    if active_isa() != "avx512" or not has_bfloat16():
        pytest.skip("no pairs of bfloat16 are multiplied")
    monkeypatch.setattr("darter.conv.costs.cpu_name", lambda: cpu)
    few = ConvSpec((1, 32, 128, 128), (16, 32, 1, 1))
    assert algorithm_for(few, Options(2, "bfloat16")) == expected
    assert algorithm_for(few, Options(2, "float32")) == "direct"
