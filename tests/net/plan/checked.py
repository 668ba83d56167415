"""Small nets, planned and run, against their plain numpy form; memory poisoned with NaN."""

import numpy as np

from darter.net.graph import Graph, Node, needed, node
from darter.net.plan import Program
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
