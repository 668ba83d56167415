"""RoiAlign: what is in boxes, on a grid of bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references.net import FUNCTIONS

from darter.errors import ShapeError, UnsupportedError
from darter.kernels import available_isas, using_isa
from darter.net import model_in_memory, read_graph, to_model
from darter.net.graph import Graph, node
from darter.net.plan import Program
from darter.net.translate import translate

EPSILON = 2.0**-24


def aligned(x, boxes, **attributes):
    shapes = {"x": (None, *x.shape[1:]), "boxes": (None, *boxes.shape[1:])}
    graph = Graph((node("AlignRegions", "y", ("x", "boxes"), "y", **attributes),), shapes,
                  ("y",), {}, 18)  # fmt: skip
    return Program(graph, len(x)).run(x, boxes)


def reference(x, boxes, **attributes):
    given_ = {"scale": 1.0, "samples": 0, "half_pixel": True, "maximum": False, **attributes}
    return FUNCTIONS["AlignRegions"](given_, x.astype(np.float64), boxes.astype(np.float64))


@pytest.mark.parametrize("isa", available_isas())
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_regions_equal_the_reference(isa, data):
    n, r, c, h, w = (data.draw(st.integers(1, most)) for most in (3, 4, 35, 9, 9))
    attributes = {
        "bins": (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))),
        "scale": data.draw(st.sampled_from([1.0, 0.5, 0.0625])),
        "samples": data.draw(st.integers(0, 3)),
        "half_pixel": data.draw(st.booleans()),
        "maximum": data.draw(st.booleans()),
    }
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    x = random.normal(size=(n, c, h, w)).astype(np.float32)
    # Also beyond the edges, of no size, and with corners in the other order.
    boxes = (random.uniform(-4, 14, (n, r, 4)) / attributes["scale"]).astype(np.float32)
    boxes[0, 0, 2:] = boxes[0, 0, :2] if data.draw(st.booleans()) else boxes[0, 0, 2:]
    with using_isa(isa):
        found = aligned(x, boxes, **attributes)
    # A mean of products with weights that sum to 1, each rounded once; bins of at most 324 pixels.
    bound = 330 * EPSILON * np.abs(x).max()
    assert np.abs(found - reference(x, boxes, **attributes)).max() <= bound


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("maximum", [False, True])
def test_no_box_leads_out_of_the_picture(value, maximum):
    x = np.ones((1, 3, 5, 5), np.float32)
    for corner in range(4):
        boxes = np.array([[[0, 0, 4, 4]]], np.float32)
        boxes[0, 0, corner] = value
        y = aligned(x, boxes, bins=(2, 2), maximum=maximum)
        assert np.isfinite(y).all() and y.min() >= 0 and y.max() <= 1 + 1e-6


def onnx_cases():
    from onnx.backend.test.loader import load_model_tests

    return [c for c in load_model_tests(kind="node") if c.name.startswith("test_roialign")]


@pytest.mark.parametrize("case", onnx_cases(), ids=lambda case: case.name)
def test_onnx_own_cases(case):
    """Its boxes are all of one picture."""
    from onnx.numpy_helper import to_array

    (source,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    x, boxes, owners = (np.asarray(a if isinstance(a, np.ndarray) else to_array(a)) for a in inputs)
    assert not owners.any()
    told = {a.name: a.s.decode() if a.type == 3 else a.f or a.i for a in source.attribute}
    found = aligned(
        x.astype(np.float32),
        boxes[None].astype(np.float32),
        bins=(told["output_height"], told["output_width"]),
        scale=float(told["spatial_scale"]),
        samples=told["sampling_ratio"],
        half_pixel=told.get("coordinate_transformation_mode", "half_pixel") == "half_pixel",
        maximum=told.get("mode") == "max",
    )
    assert np.abs(found[0] - outputs[0]).max() < 1e-4  # ONNX writes them with four digits


def exported(owners, *, shape=(-1, 4)):
    """boxes (N, 3, 4) -> rows -> RoiAlign -> ReLU of all rows -> (N, 3, C, 2, 2)."""
    nodes = (
        node("Reshape", "rows", ["boxes", "rows_shape"], "rows"),
        node("RoiAlign", "roi", ["x", "rows", "owners"], "regions", output_height=2,
             output_width=2, sampling_ratio=2, spatial_scale=0.5, mode="avg"),
        node("Relu", "relu", ["regions"], "positive"),
        node("Reshape", "y", ["positive", "apart"], "y"),
    )  # fmt: skip
    weights = {"rows_shape": np.array(shape), "apart": np.array([-1, 3, 5, 2, 2]), "owners": owners}
    shapes = {"x": (None, 5, 8, 8), "boxes": (None, 3, 4)}
    return Graph(nodes, shapes, ("y",), weights, 18)


def read_again(model):
    file = model_in_memory(model, "net")
    return read_graph(file.proto, file.path.parent, file.raw)


def test_the_graph_that_is_written_runs_elsewhere_and_is_read_again():
    ort = pytest.importorskip("onnxruntime")
    own = node("AlignRegions", "y", ("x", "boxes"), "y", bins=(3, 2), scale=0.5, samples=2)
    graph = Graph((own,), {"x": (None, 5, 8, 8), "boxes": (None, 3, 4)}, ("y",), {}, 18)
    model = to_model(graph)
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 5, 8, 8)).astype(np.float32)
    low = random.uniform(0, 10, (2, 3, 2))
    boxes = np.concatenate((low, low + random.uniform(1, 6, low.shape)), axis=2).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x, "boxes": boxes})
    ours = aligned(x, boxes, bins=(3, 2), scale=0.5, samples=2)
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    graph = translate(read_again(model), {"x": (None, 5, 8, 8), "boxes": (None, 3, 4)}, ("y",))
    assert "AlignRegions" in [each.op for each in graph.nodes]
    assert np.array_equal(Program(graph, 2).run(x, boxes), ours)


def test_boxes_of_pictures_in_another_order_are_refused():
    graph = exported(np.array([0, 1, 0, 1, 0, 1]))
    with pytest.raises(UnsupportedError, match="the pictures' order"):
        translate(graph, graph.inputs, ("y",))


def test_wrong_shapes_are_refused():
    x, boxes = np.zeros((2, 3, 4, 4), np.float32), np.zeros((2, 5, 4), np.float32)
    for wrong in (boxes[:, :0], boxes[..., :3]):
        with pytest.raises(ShapeError, match="boxes"):
            aligned(x, wrong, bins=(2, 2))
    with pytest.raises(ShapeError, match="bins"):
        aligned(x, boxes, bins=(0, 2))
