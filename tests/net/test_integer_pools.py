"""The largest numbers of windows of 8-bit integers, on every instruction set."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.kernels import available_isas, using_isa
from darter.net import Program
from darter.net.graph import Graph, node
from darter.net.passes.integers import integer_layers
from tests.net.test_integer_layers import centered
from tests.references.net import run_graph


@given(
    kernel=st.tuples(*[st.integers(1, 5)] * 2), strides=st.tuples(*[st.integers(1, 3)] * 2),
    dilations=st.tuples(*[st.integers(1, 2)] * 2), pads=st.tuples(*[st.integers(0, 2)] * 4),
    picture=st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(1, 23)),
    batch=st.integers(1, 3), threads=st.integers(1, 3), seed=st.integers(0, 999),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_largest_of_windows(kernel, strides, dilations, pads, picture, batch, threads, seed):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sides = [p + a + b for p, a, b in zip(picture[1:], pads, pads[2:], strict=False)]
    if any(s < r for s, r in zip(sides, reach, strict=True)) or max(pads) >= min(kernel):
        return
    window = {"kernel": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    pool = node("MaxPool", "pool", ["a"], "pool", **window)
    weights = {"step": np.float32(0.25), "zero": np.float32(-28)}
    nodes = (*centered("x", "a"), pool, *centered("pool", "y"))
    graph = Graph(nodes, {"x": (None, *picture)}, ("y",), weights)
    new = integer_layers(graph)
    assert [each.op for each in new.nodes] == ["Quantize", "IntegerMaxPool", "Dequantize"]
    x = np.random.default_rng(seed).standard_normal((batch, *picture)).astype(np.float32) * 12
    (truth,) = run_graph(graph, x)
    for isa in available_isas():
        with using_isa(isa):
            np.testing.assert_array_equal(Program(new, batch, threads=threads).run(x), truth)
