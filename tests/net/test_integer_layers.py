"""Convolutions of quantized files run on integers where both ends are understood."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime.quantization import QuantFormat, QuantType

from darter.kernels import available_isas, has_integers, using_isa
from darter.net import Program, to_model
from darter.net.graph import Graph, needed, node
from darter.net.ops import Activation
from darter.net.passes import integer_filters
from darter.net.passes.integer_filters import filter_steps
from darter.net.passes.integers import integer_layers
from tests.net.onnx_nets import graph_of
from tests.net.test_quantized import SHAPE, elsewhere, last_step, quantized
from tests.references.net import run_graph

RNG = np.random.default_rng(3)
PICTURE = {"x": (None, 5, 7, 6)}


def centered(source, target, zero=-128.0, bounds=(-100.0, 155.0)):
    """A quantized tensor and its numbers again, as `translate.quantized` writes them."""
    whole = Activation("round_clip", *bounds)
    return [
        node("Eltwise", f"{target}.s", [source, "step"], f"{target}.s", function="div"),
        node("Activation", f"{target}.r", [f"{target}.s"], f"{target}.r", activation=whole),
        node("Eltwise", f"{target}.q", [f"{target}.r", "zero"], f"{target}.q", function="add"),
        node("Eltwise", f"{target}.c", [f"{target}.q", "zero"], f"{target}.c", function="sub"),
        node("Eltwise", target, [f"{target}.c", "step"], target, function="mul"),
    ]


def net(w, b, *more, outputs=("y",), **window) -> Graph:
    """Integers, a Conv of them, and more between it and integers again. All steps are powers of 2,
    so that float64 and integers give the same bits."""
    conv = node("Conv", "conv", ["a", "w", "b"], "conv", **window)
    nodes = [*centered("x", "a"), conv, *more, *centered(more[-1].output if more else "conv", "y")]
    weights = {"w": w, "b": b, "step": 0.25, "zero": -28.0}
    arrays = {name: np.asarray(each, np.float32) for name, each in weights.items()}
    return needed(Graph(tuple(nodes), PICTURE, outputs, arrays))


def filters(*shape, most=127):
    """Whole numbers from -127 to 127, all of them used, times 1/64."""
    w = RNG.integers(-most, most + 1, shape)
    w[:, 0, 0, 0] = most
    return w.astype(np.float32) / 64


def ops(graph):
    return Counter(each.op for each in graph.nodes)


def check(graph: Graph, *expected: str, within: float = 0) -> Graph:
    new = integer_layers(graph)
    assert [each.op for each in new.nodes] == list(expected)
    same_everywhere(graph, new, within)
    return new


def same_everywhere(graph: Graph, new: Graph, within: float = 0) -> None:
    """Both graphs, plainly and on every instruction set, to the bit where `within` is 0."""
    for batch in (1, 3):
        x = RNG.standard_normal((batch, *PICTURE["x"][1:])).astype(np.float32) * 12
        (truth,) = run_graph(graph, x)
        np.testing.assert_allclose(run_graph(new, x)[0], truth, rtol=0, atol=within)
        for isa in available_isas():
            with using_isa(isa):
                found = Program(new, batch).run(x)
                np.testing.assert_allclose(found, truth, rtol=0, atol=within)


INTEGERS = ("Quantize", "IntegerConv", "Dequantize")


@pytest.mark.parametrize("after", [None, ("relu", 0.0, 0.0), ("clip", -1.5, 6.0)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution_between_integers_runs_on_integers(depthwise, after):
    w = filters(5, 1, 3, 3) if depthwise else filters(18, 5, 3, 2)
    window = {"strides": (2, 1), "pads": (1, 0, 2, 1), "group": 5 if depthwise else 1}
    b = RNG.integers(-9999, 9999, len(w)) / 256
    more = [node("Activation", "f", ["conv"], "f", activation=Activation(*after))] if after else []
    check(net(w, b, *more, **window), *INTEGERS)


POOL = {"kernel": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1)}
REQUANTIZED = Activation("round_clip", -128.0, 127.0)
BETWEEN = {  # what stands between integers -> what it becomes
    "max pool": (("MaxPool", POOL), ["IntegerMaxPool"]),
    "mean": (("AveragePool", {**POOL, "count_padding": True}), ["IntegerConv"]),
    "mean of all": (("GlobalAveragePool", {}), ["IntegerConv"]),
    "reduced": (
        ("Reduce", {"function": "mean", "axes": (2, 3), "keep_dims": False}),
        ["IntegerConv", "IntegerReshape"],
    ),
    "rows": (("Reshape", {"shape": (None, 210)}), ["IntegerReshape"]),
    "relu": (("Activation", {"activation": Activation("relu")}), ["IntegerScale"]),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_stands_between_integers_runs_on_integers(name):
    (op, given), expected = BETWEEN[name]
    middle = node(op, "middle", ["a"], "middle", **given)
    nodes = (*centered("x", "a"), middle, *centered("middle", "y"))
    weights = {"step": np.float32(0.25), "zero": np.float32(-28)}
    graph = Graph(nodes, PICTURE, ("y",), weights)
    within = 0.25 if "IntegerConv" in expected else 0  # a sixth of something may round otherwise
    check(graph, "Quantize", *expected, "Dequantize", within=within)


@pytest.mark.parametrize("channels", [16, 5])
def test_a_join_of_integers_of_other_steps_runs_on_integers(channels):
    """channels: of the first tensor; whole blocks or not."""
    first = node("Conv", "conv", ["a", "w", "b"], "conv")
    other = [
        node("Eltwise", "t", ["x", "half"], "t", function="div"),
        node("Activation", "r", ["t"], "r", activation=REQUANTIZED),
        node("Eltwise", "other", ["r", "half"], "other", function="mul"),
    ]
    join = node("Concat", "join", ["c", "other"], "join", axis=1)
    nodes = (
        *(*centered("x", "a"), first, *centered("conv", "c")),
        *(*other, join, *centered("join", "y")),
    )
    w = filters(channels, 5, 1, 1)
    weights = {"step": 0.25, "zero": -28.0, "half": 0.5, "w": w, "b": np.zeros(channels)}
    arrays = {name: np.asarray(each, np.float32) for name, each in weights.items()}
    graph = Graph(nodes, PICTURE, ("y",), arrays)
    new = integer_layers(graph)
    assert ops(new) == {"Quantize": 2, "IntegerConv": 1, "IntegerScale": 1, "IntegerConcat": 1,
                        "Dequantize": 1}  # fmt: skip
    same_everywhere(graph, new)


@pytest.mark.parametrize("relu", [False, True])
def test_rows_are_multiplied_as_integers(relu):
    rows = node("Reshape", "rows", ["a"], "rows", shape=(None, 210))
    product = node("Gemm", "product", ["r", "w", "b"], "product")
    more = [node("Activation", "f", ["product"], "f", activation=Activation("relu"))] * relu
    last = centered("f" if relu else "product", "y")
    nodes = (*centered("x", "a"), rows, *centered("rows", "r"), product, *more, *last)
    w, b = filters(7, 210, 1, 1)[:, :, 0, 0], RNG.integers(-9999, 9999, 7) / 256
    weights = {"step": 0.25, "zero": -28.0, "w": w, "b": b}
    arrays = {name: np.asarray(each, np.float32) for name, each in weights.items()}
    check(
        Graph(nodes, PICTURE, ("y",), arrays),
        *("Quantize", "IntegerReshape", "IntegerConv", "Dequantize"),
    )


def sum_net(shape, relu) -> Graph:
    """The sum of the integers of two inputs, one of them of this shape."""
    total = node("Eltwise", "sum", ["a", "c"], "sum", function="add")
    more = [node("Activation", "f", ["sum"], "f", activation=Activation("relu"))] if relu else []
    last = centered(more[-1].output if more else "sum", "y")
    nodes = (*centered("x", "a"), *centered("z", "c"), total, *more, *last)
    weights = {"step": np.float32(0.25), "zero": np.float32(-28)}
    return needed(Graph(nodes, {**PICTURE, "z": (None, *shape)}, ("y",), weights))


@pytest.mark.parametrize("relu", [False, True])
def test_a_sum_of_integers_runs_on_integers(relu):
    graph = sum_net(PICTURE["x"][1:], relu)
    new = integer_layers(graph)
    assert ops(new) == {"Quantize": 2, "IntegerAdd": 1, "Dequantize": 1}
    for batch in (1, 3):
        pair = [RNG.standard_normal((batch, *PICTURE["x"][1:])).astype(np.float32) * 12] * 2
        pair[1] = pair[1][:, ::-1].copy()
        (truth,) = run_graph(graph, *pair)
        np.testing.assert_array_equal(run_graph(new, *pair)[0], truth)
        for isa in available_isas():
            with using_isa(isa):
                np.testing.assert_array_equal(Program(new, batch).run(*pair), truth)


@pytest.mark.parametrize("order", [("a", "c"), ("c", "a")])
def test_a_sum_with_a_convolution_is_computed_by_it(order):
    conv = node("Conv", "conv", ["a", "w", "b"], "conv", pads=(1, 1, 1, 1))
    total = node("Eltwise", "sum", order, "sum", function="add")
    nodes = (*centered("x", "a"), conv, *centered("conv", "c"), total, *centered("sum", "y"))
    w, b = filters(5, 5, 3, 3) / 32, np.float32([0.5, 1, -2, 7, 0])
    weights = {"step": np.float32(0.25), "zero": np.float32(-28), "w": w, "b": b}
    graph = Graph(nodes, PICTURE, ("y",), weights)
    new = check(graph, "Quantize", "IntegerConv", "IntegerAdd", "Dequantize")
    steps = [each.op for each in Program(new, 2).report(1)]
    assert "IntegerConv" in steps
    assert "IntegerAdd" not in steps


def test_a_sum_that_broadcasts_stays():
    stays(sum_net((5, 1, 1), False))


@pytest.mark.parametrize("cut", [1, 2])
def test_integers_are_handed_over_where_pictures_run_one_by_one(cut, monkeypatch):
    graph = net(filters(18, 5, 3, 2), RNG.integers(-9999, 9999, 18) / 256)
    new = integer_layers(graph)
    monkeypatch.setattr("darter.net.plan.assemble.front", lambda *given: cut)
    x = RNG.standard_normal((3, *PICTURE["x"][1:])).astype(np.float32) * 12
    np.testing.assert_array_equal(Program(new, 3).run(x), run_graph(graph, x)[0])


def test_a_filter_of_zeros_keeps_its_bias():
    w = filters(3, 5, 1, 1)
    w[1] = 0
    check(net(w, [0.5, 7.25, -3]), *INTEGERS)


def stays(graph: Graph) -> None:
    assert integer_layers(graph) is graph


def test_what_is_not_understood_stays():
    w, b = filters(3, 5, 1, 1), np.zeros(3)
    assert "IntegerConv" in ops(integer_layers(net(w, b)))
    stays(net(w + RNG.random(w.shape) / 999, b))  # no step
    stays(net(filters(3, 5, 1, 1, most=200), b))  # unsigned weights with a wide zero point
    stays(net(w, b + 2.0**31))  # a bias that 32 bits cannot hold
    stays(net(w, [np.nan, 0, 0]))
    stays(net(w, b, outputs=("y", "a.q")))  # the integers themselves are given out
    stays(net(w, b, outputs=("y", "conv")))
    swish = node("Activation", "f", ["conv"], "f", activation=Activation("swish"))
    stays(net(w, b, swish))
    above = node("Activation", "f", ["conv"], "f", activation=Activation("clip", 1.0, 6.0))
    stays(net(w, b, above))
    other = replace(
        net(w, b), weights={**net(w, b).weights, "zero": np.float32([3, 3, 3, 3, 3, 4])}
    )
    stays(other)


def test_sums_that_may_not_fit_stay():
    shape = {"x": (None, 34000, 1, 1)}
    graph = replace(net(np.full((1, 34000, 1, 1), 127 / 64), [0]), inputs=shape)
    stays(graph)


@given(st.integers(1, 127), st.floats(1e-6, 1e3), st.booleans(), st.integers(0, 2**32 - 1))
def test_steps_of_filters_are_found_to_the_bit(most, scale, own, seed):
    """own: a step for each row, of which its largest number is 127."""
    draw = np.random.default_rng(seed)
    whole = draw.integers(-most, most + 1, (4, 80))
    whole[:, :2] = most, -most + 1
    scales = np.float32(scale) * np.ones((4, 1), np.float32)
    if own:
        whole[:, 0] = 127
        scales *= draw.uniform(0.5, 2, (4, 1)).astype(np.float32)
    rows = (whole * scales.astype(np.float64)).astype(np.float32)
    steps = filter_steps(rows)
    assert steps is not None
    assert np.array_equal(np.rint(rows / steps[:, None]) * steps[:, None], rows)
    if own:
        assert np.array_equal(steps, scales[:, 0])


def test_the_most_negative_weight_is_a_weight():
    whole = np.array([[-128, 3, 100], [127, -1, 2]])
    for scales in ([0.1, 0.1], [0.1, 0.3]):
        rows = (whole * np.array(scales)[:, None]).astype(np.float32)
        np.testing.assert_allclose(filter_steps(rows), scales, rtol=1e-6)


def test_steps_are_found_part_by_part(monkeypatch):
    whole = RNG.integers(-127, 128, (9, 50))
    whole[:, 0] = 127
    rows = (whole * RNG.uniform(0.01, 1, (9, 1))).astype(np.float32)
    expected = filter_steps(rows)
    monkeypatch.setattr(integer_filters, "AT_ONCE", 100)
    assert np.array_equal(filter_steps(rows), expected)
    rows[7, 3] *= 1.01
    assert filter_steps(rows) is None


def test_what_makes_steps_of_sums_is_rounded_as_onnx_runtime_rounds_it():
    x_scale, y_step = (float(np.float32(each)) for each in (0.0173, 0.0291))
    scale = np.float32(0.00371)
    whole = RNG.integers(-127, 128, (3, 5, 3, 3))
    whole[:, 0, 0, 0] = 127
    bias = RNG.integers(-9999, 9999, 3)
    w, b = (whole * scale).astype(np.float32), (bias * (scale * np.float32(x_scale))).astype("f4")
    found = integer_filters.in_steps(w, b, x_scale, y_step)
    factor = scale * np.float32(x_scale) / np.float32(y_step)
    assert found is not None
    for got, expected in zip(found, (whole, bias, np.full(3, factor)), strict=True):
        assert np.array_equal(got, expected)


def test_floats_have_no_steps():
    assert filter_steps(RNG.standard_normal((4, 27)).astype(np.float32)) is None


def test_where_integers_are_slow_files_stay_in_float32(tmp_path):
    model = quantized(1, tmp_path, weight_type=QuantType.QInt8)
    with using_isa("scalar"):
        assert "IntegerConv" not in ops(graph_of(model, np.zeros((1, *SHAPE))))


# The mean over windows of which the border's are smaller, between numbers again.
OF_FLOATS = {"Quantize": 2, "Dequantize": 2, "AveragePool": 1}
WHOLE_NET = {
    **OF_FLOATS,
    "IntegerConv": 6,
    "IntegerAdd": 1,
    "IntegerMaxPool": 1,
    "IntegerScale": 1,
    "IntegerConcat": 1,
    "IntegerReshape": 1,
}


@pytest.mark.skipif(not has_integers(), reason="computes them in float32 here")
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("kind", [QuantType.QUInt8, QuantType.QInt8])
def test_files_of_onnx_runtime_run_on_integers(form, kind, tmp_path):
    """All but a mean that pads do not count in; and written as ONNX again, recognized again."""
    given = {"quant_format": form, "activation_type": kind, "weight_type": QuantType.QInt8}
    model = quantized(1, tmp_path, per_channel=True, **given)
    x = np.random.default_rng(5).standard_normal((4, *SHAPE)).astype(np.float32)
    graph = graph_of(model, x)
    assert ops(graph) == WHOLE_NET
    off = np.abs(Program(graph, 4).run(x) - elsewhere(model, x)) / last_step(model)
    assert off.max() <= 1.01
    written = to_model(graph)
    again = graph_of(written, x)
    assert ops(again) == WHOLE_NET
    for found in (elsewhere(written, x), Program(again, 4).run(x)):
        off = np.abs(found - elsewhere(model, x)) / last_step(model)
        assert off.max() <= 1.01
