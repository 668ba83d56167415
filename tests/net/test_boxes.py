"""The ends of detectors: places of the largest, values at places, boxes without doubles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references.net import FUNCTIONS

from darter.errors import ShapeError, UnsupportedError
from darter.kernels import steps
from darter.net.graph import Graph, node
from darter.net.plan import Program
from darter.net.translate.boxes import KEEP, with_masks


def run(op, *arrays, **attributes):
    """One node on inputs whose first axis is the pictures'."""
    names = [f"x{k}" for k in range(len(arrays))]
    shapes = {n: (None, *a.shape[1:]) for n, a in zip(names, arrays, strict=True)}
    graph = Graph((node(op, "y", names, "y", **attributes),), shapes, ("y",), {}, 18)
    program = Program(graph, len(arrays[0]))
    return program.run(*arrays)


def reference(op, *arrays, **attributes):
    return FUNCTIONS[op](attributes, *(a.astype(np.float64) for a in arrays))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_places_of_the_largest_and_the_values_there(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    axis = data.draw(st.integers(1, len(shape) - 1))
    count, least = data.draw(st.integers(1, shape[axis])), data.draw(st.booleans())
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = random.integers(-3, 4, shape).astype(np.float32)  # with equals
    given_ = {"axis": axis, "count": count, "least": least}
    places = run("TopPlaces", x, **given_)
    assert np.array_equal(places, reference("TopPlaces", x, **given_))
    assert np.array_equal(run("GatherAlong", x, places, axis=axis),
                          np.take_along_axis(x, places.astype(int), axis))  # fmt: skip


def test_many_places_on_all_threads():
    x = np.random.default_rng(0).normal(size=(3, 7, 5000)).astype(np.float32)
    given_ = {"axis": 2, "count": 300, "least": False}
    assert np.array_equal(run("TopPlaces", x, **given_), reference("TopPlaces", x, **given_))


@pytest.mark.parametrize("place", [-1e30, -6, -5, -1, 4, 5, 1e30, np.inf, -np.inf, np.nan])
def test_no_place_leads_out_of_the_array(place):
    x = np.arange(1, 6, dtype=np.float32)[None]
    assert run("GatherAlong", x, np.full((1, 2), place, np.float32), axis=1)[0, 0] in x


def drawn(seed, pictures, classes, count, *, grid=False):
    random = np.random.default_rng(seed)
    low = random.uniform(0, 50, (pictures, count, 2))
    boxes = np.concatenate((low, low + random.uniform(1, 30, low.shape)), axis=2)
    if grid:
        boxes = boxes.round(-1)  # boxes without area, and overlaps that are just the limit
    scores = random.uniform(0, 1, (pictures, classes, count)).round(2)
    return boxes.astype(np.float32), scores.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 999), st.integers(1, 3), st.integers(1, 3), st.integers(1, 60),
    st.sampled_from([0.0, 0.3, 0.5, 0.9]), st.sampled_from([-1.0, 0.25, 0.5]),
    st.sampled_from([0, 1, 5, 1000]), st.booleans(),
)  # fmt: skip
def test_boxes_that_stay(seed, pictures, classes, count, overlap, least, most, middles):
    boxes, scores = drawn(seed, pictures, classes, count)
    given_ = {"most": most, "overlap": overlap, "least": least, "middles": middles}
    assert np.array_equal(run("KeepBoxes", boxes, scores, **given_),
                          reference("KeepBoxes", boxes, scores, **given_))  # fmt: skip


def test_boxes_that_are_no_boxes():
    boxes, scores = drawn(1, 2, 2, 30, grid=True)
    boxes[0, 3], scores[0, 0, 5], boxes[1, 2, 1] = np.nan, np.nan, np.inf
    boxes[1, 7] = boxes[1, 7, [2, 3, 0, 1]]  # corners in the other order
    given_ = {"most": 99, "overlap": 0.5, "least": -1.0, "middles": False}
    kept = run("KeepBoxes", boxes, scores, **given_)
    assert set(np.unique(kept)) <= {0, 1}
    assert kept[0, 0, 5] == 0  # a score that is no number is above nothing


def onnx_cases():
    from onnx.backend.test.loader import load_model_tests

    found = load_model_tests(kind="node")
    return [case for case in found if case.name.startswith("test_nonmaxsuppression")]


@pytest.mark.parametrize("case", onnx_cases(), ids=lambda case: case.name)
def test_onnx_own_cases_of_non_max_suppression(case):
    """The mask, read as ONNX lists it: picture, class, then the surest first."""
    from onnx.numpy_helper import to_array

    (model_node,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    boxes, scores, *limits = (np.asarray(x if isinstance(x, np.ndarray) else to_array(x))
                              for x in inputs)  # fmt: skip
    most, overlap, least = (*[float(x.ravel()[0]) for x in limits], 0.0, 0.0, -1e30)[:3]
    middles = any(a.name == "center_point_box" and a.i for a in model_node.attribute)
    kept = run("KeepBoxes", boxes.astype(np.float32), scores.astype(np.float32),
               most=int(most), overlap=overlap, least=least, middles=middles)  # fmt: skip
    listed = [
        (n, c, k)
        for n, c in np.ndindex(kept.shape[:2])
        for k in np.argsort(-scores[n, c], kind="stable")
        if kept[n, c, k]
    ]
    assert np.array_equal(np.array(listed).reshape(-1, 3), np.asarray(outputs[0]))


def test_wrong_shapes_are_refused():
    x = np.zeros((2, 5), np.float32)
    with pytest.raises(ShapeError, match="6 largest of the 5"):
        run("TopPlaces", x, axis=1, count=6)
    with pytest.raises(ShapeError, match="places"):
        run("GatherAlong", x, np.zeros((2, 5, 1), np.float32), axis=1)
    with pytest.raises(ShapeError, match="boxes"):
        run("KeepBoxes", x[:, :, None], x[:, None], most=1, overlap=0.5, least=0.0)
    with pytest.raises(ValueError, match="count"):
        steps.top_places_step(1, 3, 1, 4, False)


def suppression(*, ones=1.0, zero=0.0):
    nodes = (
        node("Mul", "m", ["scores", "zero"], "none"),
        node("NonMaxSuppression", "nms", ["boxes", "scores", "most", "overlap"], "kept"),
        node("Shape", "s", ["kept"], "shape", start=0, end=1),
        node("Expand", "e", ["one", "shape"], "ones"),
        node("ScatterND", "y", ["none", "kept", "ones"], "y"),
    )
    weights = {"zero": np.float32([zero]), "one": np.float32([ones]),
               "most": np.array([9]), "overlap": np.float32([0.5])}  # fmt: skip
    shapes = {"boxes": (None, 6, 4), "scores": (None, 1, 6)}
    return Graph(nodes, shapes, ("y",), weights, 18)


def test_a_list_of_boxes_becomes_a_mask_only_where_it_is_used_as_one():
    assert [n.op for n in with_masks(suppression()).nodes] == ["Mul", KEEP]
    for other in (suppression(ones=2.0), suppression(zero=1.0)):
        assert with_masks(other) == other or len(with_masks(other).nodes) == 5


def test_other_uses_of_the_list_are_refused():
    from darter.net.translate import translate

    graph = suppression(ones=2.0)
    with pytest.raises(UnsupportedError, match="NonMaxSuppression"):
        translate(graph, graph.inputs, ("y",))
