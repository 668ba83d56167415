"""Graphs of a few nodes for tests of passes, and the check that a pass changes no answer."""

import numpy as np

from darter.net.graph import Graph, Node, needed, node
from darter.net.ops import Activation
from darter.net.passes import improve
from tests.references.net import run_graph

RNG = np.random.default_rng(1)
PICTURE = {"x": (None, 4, 6, 6)}


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def net(*nodes: Node, inputs=PICTURE, **weights) -> Graph:
    """A graph whose output is the last node's."""
    weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    return needed(Graph(nodes, inputs, (nodes[-1].output,), weights))


def improved(graph: Graph, *expected_ops: str) -> Graph:
    """The graph after all passes: the same answers from exactly these operations."""
    return after(improve, graph, *expected_ops)


def after(run, graph: Graph, *expected_ops: str) -> Graph:
    new = run(graph)
    x = array(3, *next(iter(graph.inputs.values()))[1:])
    np.testing.assert_allclose(run_graph(new, x)[0], run_graph(graph, x)[0], rtol=1e-4, atol=1e-5)
    assert [each.op for each in new.nodes] == list(expected_ops)
    return new


def conv(source, target, w="w", b="b", **attributes):
    return node("Conv", target, [source, w, b], target, **attributes)


def act(source, target, kind, a=0.0, b=0.0):
    return node("Activation", target, [source], target, activation=Activation(kind, a, b))


def sum_of(left, right, target, function="add"):
    return node("Eltwise", target, [left, right], target, function=function)


FILTERS = {"w": array(4, 4, 3, 3), "b": array(4)}
SAME = {"pads": (1, 1, 1, 1)}


def scale(source, target, s="s", t="t"):
    return node("Scale", target, [source, s, t], target)
