"""Two arrays of any rank meet as numpy has it, line by line, on any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references.arrays import eltwise

from darter.net.graph import Graph, node
from darter.net.plan import Program

FUNCTIONS = ("add", "sub", "mul", "div", "pow", "min", "max", "less", "less_equal", "equal")


def run(function, a, b, threads=1):
    shapes = {"a": (None, *a.shape[1:]), "b": (None, *b.shape[1:])}
    graph = Graph(
        (node("Eltwise", "y", ("a", "b"), "y", function=function),), shapes, ("y",), {}, 18
    )
    return Program(graph, len(a), threads=threads).run(a, b)


def pair(shape, ones, seed):
    """Two arrays of a shape, of size 1 on some axes behind the first."""
    random = np.random.default_rng(seed)
    found = []
    for few in ones:
        own = [1 if k and k - 1 < len(few) and few[k - 1] else n for k, n in enumerate(shape)]
        found.append((random.integers(1, 5, own) / 2).astype(np.float32))
    return found


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_it_broadcasts_as_numpy_does(data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    ones = data.draw(st.lists(st.lists(st.booleans(), max_size=5), min_size=2, max_size=2))
    a, b = pair(shape, ones, data.draw(st.integers(0, 99)))
    for function in FUNCTIONS:
        wanted = eltwise({"function": function, "activation": None}, a, b)
        rounding = 1e-6 if function == "pow" else 0.0  # libraries round powers in their own ways
        np.testing.assert_allclose(run(function, a, b), wanted, rtol=rounding, err_msg=function)


@pytest.mark.parametrize("ones", [((), ()), ((1, 0), (0, 1)), ((0, 1), ()), ((), (0, 1))])
def test_long_lines_are_shared_among_threads_anywhere(ones):
    a, b = pair((2, 301, 307), ones, 0)
    assert np.array_equal(run("sub", a, b, threads=3), a - b)
