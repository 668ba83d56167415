"""The beginning of a net runs picture by picture where its tensors outweigh its weights."""

import numpy as np
import pytest

from darter.net.graph import Graph, needed, node
from darter.net.ops import Activation
from darter.net.plan import Options, Packed, Program
from darter.net.plan.algorithm import integer_weight_bytes
from darter.net.plan.front import crossing, front
from tests.references.net import run_graph

RNG = np.random.default_rng(4)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, y, k, c, **attributes):
    made = node("Conv", y, [x, f"{y}.w", f"{y}.b"], y, activation=Activation("relu"), **attributes)
    return made, {f"{y}.w": array(k, c, 3, 3) / (3 * c**0.5), f"{y}.b": array(k)}


def narrowing(side: int) -> Graph:
    """Large tensors first, large weights last."""
    layers = [
        conv("x", "a", 16, 3, pads=(1, 1, 1, 1)),
        conv("a", "b", 16, 16, strides=(4, 4)),
        conv("b", "c", 128, 16, strides=(2, 2)),
        conv("c", "d", 256, 128, strides=(2, 2)),
    ]
    weights = {name: value for _, each in layers for name, value in each.items()}
    pool = node("GlobalAveragePool", "y", ["d"], "y")
    nodes = (*(made for made, _ in layers), pool)
    return needed(Graph(nodes, {"x": (None, 3, side, side)}, ("y",), weights))


def test_the_cut_lies_where_weights_outgrow_tensors():
    graph = narrowing(64)
    cut = front(graph, 8, Options(2), Packed())
    assert [n.name for n in graph.nodes[:cut]] == ["a", "b"]
    assert crossing(graph, cut) == ["b"]
    assert front(graph, 1, Options(2), Packed()) == 0


@pytest.mark.parametrize(("side", "packed"), [(1, 1), (3, 8)])
def test_filters_of_integers_count_as_they_are_packed(side, packed):
    pads = (side // 2,) * 4
    layer = node("IntegerConv", "y", ["x", "w", "b", "s"], "y", x_zero=0, zero=0, pads=pads)
    shapes = {"x": (1, 64, 56, 56), "w": (64, 64, side, side)}
    assert integer_weight_bytes(layer, shapes, 1) == packed * 64 * 64 * side * side


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("batch", [2, 3, 8])
def test_answers_and_reports_stay_the_same(batch, threads):
    graph, x = narrowing(64), array(batch, 3, 64, 64)
    program = Program(graph, batch, threads=threads)
    program._core.poison()
    truth = run_graph(graph, x)[0]
    np.testing.assert_allclose(program.run(x), truth, atol=2e-5 * np.abs(truth).max())
    lines = [line for line in program.report(2) if line.op == "Conv"]
    names = [line.name for line in lines if line.multiply_adds]
    assert names == ["a", "b", "c", "d"]
    a = next(line for line in lines if line.name == "a" and line.multiply_adds)
    assert a.multiply_adds == batch * 64 * 64 * 16 * 27


def test_nodes_that_mix_pictures_end_it():
    nodes = (
        node("MaxPool", "a", ["x"], "a", kernel=(2, 2)),
        node("Softmax", "b", ["a"], "b", axis=0),
        node("Reduce", "y", ["b"], "y", function="mean", axes=(2, 3), keep_dims=True),
    )
    graph = Graph(nodes, {"x": (None, 3, 8, 8)}, ("y",), {})
    assert front(graph, 4, Options(2), Packed()) <= 1
    x = array(4, 3, 8, 8)
    np.testing.assert_allclose(Program(graph, 4).run(x), run_graph(graph, x)[0], atol=1e-6)
