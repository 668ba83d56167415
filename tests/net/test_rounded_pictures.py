"""Convolutions of few channels take numbers and round them on their way."""

import numpy as np
import pytest

from darter.kernels import available_isas, using_isa
from darter.net import Program
from darter.net.graph import Graph, needed, node
from darter.net.ops import Activation
from darter.net.passes.integers import integer_layers
from tests.net.test_integer_layers import centered, filters
from tests.references.net import run_graph

RNG = np.random.default_rng(4)


def net(channels, *before, picture=(9, 23), taps=(3, 2), outputs=("y",), **window) -> Graph:
    """A convolution of 18 filters of integers.   before: what makes their numbers."""
    conv = node("Conv", "conv", ["a", "w", "b"], "conv", **window)
    source = before[0].output if before else "x"
    nodes = (*before[:1], *centered(source, "a"), *before[1:], conv, *centered("conv", "y"))
    w, b = filters(18, channels, *taps), RNG.integers(-9999, 9999, 18) / 256
    weights = {"w": w, "b": b, "step": 0.25, "zero": -28.0}
    arrays = {name: np.asarray(each, np.float32) for name, each in weights.items()}
    return needed(Graph(nodes, {"x": (None, channels, *picture)}, outputs, arrays))


def pictures(graph: Graph, batch: int):
    return RNG.standard_normal((batch, *graph.inputs["x"][1:])).astype(np.float32) * 12


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "window",
    [
        {},
        {"pads": (1, 0, 2, 3), "strides": (2, 2)},
        {"taps": (1, 11), "pads": (0, 5, 0, 5)},
        {"dilations": (1, 2), "pads": (0, 2, 1, 0)},
        {"picture": (3, 2)},
        {"picture": (2, 1030)},
    ],
)  # fmt: skip
def test_bits_are_those_of_the_reference(channels, window):
    graph = net(channels, **{"taps": (2, 2), **window})
    new = integer_layers(graph)
    assert [each.op for each in new.nodes] == ["Quantize", "IntegerConv", "Dequantize"]
    for batch in (1, 3):
        x = pictures(graph, batch)
        (truth,) = run_graph(graph, x)
        for isa in available_isas():
            with using_isa(isa):
                np.testing.assert_array_equal(Program(new, batch, threads=2).run(x), truth)
    assert "to integers" not in [each.algorithm for each in Program(new, 1).report(1)]


def test_what_is_no_number_is_the_least():
    graph = net(3)
    x = pictures(graph, 1)
    least = x.copy()
    x[0, 1, 4, 7], least[0, 1, 4, 7] = np.nan, -1e9
    program = Program(integer_layers(graph), 1)
    np.testing.assert_array_equal(program.run(x), program.run(least))


def test_numbers_stay_until_they_are_rounded():
    """Whoever else reads them."""
    relu = node("Activation", "r", ["x"], "r", activation=Activation("relu"))
    other = node("Activation", "z", ["r"], "z", activation=Activation("elu", 1.0))
    graph = net(3, relu, other, outputs=("y", "z"))
    new = integer_layers(graph)
    x = pictures(graph, 2)
    for found, truth in zip(Program(new, 2).run(x), run_graph(graph, x), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-6, atol=1e-6)


def test_integers_that_others_read_are_made():
    """Of few channels, but not for a convolution alone."""
    pool = node("MaxPool", "p", ["a"], "p", kernel=(2, 2), strides=(1, 1))
    graph = net(3)
    graph = Graph(
        (*graph.nodes, pool, *centered("p", "z")), graph.inputs, ("y", "z"), graph.weights
    )
    new = integer_layers(graph)
    x = pictures(graph, 2)
    for found, truth in zip(Program(new, 2).run(x), run_graph(graph, x), strict=True):
        np.testing.assert_array_equal(found, truth)
