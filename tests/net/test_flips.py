"""Channels and pixels in another order inside the net: they run, and are free before a product."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from tests.net.onnx_nets import N, check, graph_of, net

RNG = np.random.default_rng(0)


def ints(*values):
    return np.array(values, np.int64)


def turned(how, axis):
    """A node that reads x and writes t with the axis backwards, and its constants."""
    if how == "Gather":
        return N("Gather", ["x", "places"], ["t"], axis=axis), {"places": ints(2, 1, 0)}
    bounds = {"a": ints(-1), "b": ints(-9), "axes": ints(axis), "step": ints(-1)}
    return N("Slice", ["x", *bounds], ["t"]), bounds


@pytest.mark.parametrize("how", ["Slice", "Gather"])
@pytest.mark.parametrize("pads", [0, 1])
@pytest.mark.parametrize("normalized", ["not", "scaled", "shifted"])
@pytest.mark.parametrize("last", [False, True])
def test_bgr_inside_the_net_moves_into_the_filters(how, pads, normalized, last):
    first, weights = turned(how, 3 if last else 1)
    weights["w"] = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes, name = [first], "t"
    if last:
        nodes.append(N("Transpose", ["t"], ["first"], perm=[0, 3, 1, 2]))
        name = "first"
    if normalized != "not":
        weights["m"] = RNG.standard_normal((3, 1, 1)).astype(np.float32)
        op = "Mul" if normalized == "scaled" else "Sub"
        nodes.append(N(op, [name, "m"], ["normal"]))
        name = "normal"
    nodes.append(N("Conv", [name, "w"], ["y"], pads=[pads] * 4))
    shape = (9, 8, 3) if last else (3, 9, 8)
    graph = check(net(nodes, weights, x=("n", *shape)), *shape)
    ops = {node.op for node in graph.nodes}
    assert ops <= {"Conv", "Transpose", "Scale"}


@given(
    axis=st.integers(1, 3),
    places=st.lists(st.integers(-6, 5), min_size=1, max_size=9),
    rank=st.integers(0, 2),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_any_places_of_any_axis(axis, places, rank, data):
    if rank == 0:
        places = places[0]
    elif rank == 2:
        places = [places, places[::-1]]
    nodes = [N("Gather", ["x", "i"], ["y"], axis=axis)]
    if data.draw(st.booleans()):  # of channels in blocks
        nodes = [N("Relu", ["x"], ["r"]), N("Gather", ["r", "i"], ["y"], axis=axis)]
    check(net(nodes, {"i": np.array(places, np.int64)}, x=("n", 6, 6, 6)), 6, 6, 6)


@given(
    axis=st.integers(1, 3),
    start=st.integers(-9, 9),
    stop=st.sampled_from([-100, -9, -7, -3, 0, 2, 6, 100]),
    step=st.sampled_from([-4, -2, -1, 1, 2, 5]),
)
@settings(max_examples=60, deadline=None)
def test_slices_forwards_and_backwards(axis, start, stop, step):
    taken = len(np.arange(6)[slice(start, stop if step > 0 or stop >= -6 else None, step)])
    weights = {"a": ints(start), "b": ints(stop), "axes": ints(axis), "step": ints(step)}
    nodes = [N("Slice", ["x", *weights], ["y" if taken else "nothing"])]
    if not taken:
        nodes.append(N("Concat", ["nothing", "x", "nothing"], ["y"], axis=axis))
    check(net(nodes, weights, x=("n", 6, 6, 6)), 6, 6, 6)


def test_pictures_are_not_turned_around():
    weights = {"a": ints(-1), "b": ints(-100), "axes": ints(0), "step": ints(-1)}
    model = net([N("Slice", ["x", *weights], ["y"])], weights)
    with pytest.raises(UnsupportedError, match="some of the pictures"):
        graph_of(model, np.zeros((1, 3, 9, 8)))


def test_places_outside_are_refused():
    model = net([N("Gather", ["x", "i"], ["y"], axis=1)], {"i": ints(0, 3)})
    with pytest.raises((ModelFileError, ShapeError), match="cannot take 2 places of axis 1"):
        graph_of(model, np.zeros((1, 3, 9, 8)))
