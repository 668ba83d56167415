"""Resize by any scale or to any size: the pixels and sizes of ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from darter.errors import UnsupportedError
from darter.net.onnx.reader import read_graph
from darter.net.plan import Program
from darter.net.plan.emit.windows import ROUNDINGS
from darter.net.translate import translate
from darter.net.translate.resample import COORDINATES
from tests.references.net import run_graph

SCALES = (0.1, 0.3, 1 / 3, 0.4, 0.5, 0.6, 0.7, 1.1, 1.3, 1.5, 1.7, 2.0, 2.4, 3.3)
onnxruntime.set_default_logger_severity(4)


def model(hw, *, scales=None, sizes=None, **attributes):
    """A net of one Resize of (1, 2, H, W)."""
    given = {"s": np.array([1, 1, *scales], np.float32)} if scales else {}
    given |= {"t": np.array([1, 2, *sizes], np.int64)} if sizes else {}
    names = ["x", "", "s"] if scales else ["x", "", "", "t"]
    graph = helper.make_graph(
        [helper.make_node("Resize", names, ["y"], **attributes)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2, *hw))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in given.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def check(hw, **how):
    proto = model(hw, **how)
    x = np.random.default_rng(0).standard_normal((1, 2, *hw)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {"x": x})
    graph = translate(read_graph(proto, Path()), {"x": (1, 2, *hw)}, ("y",))
    for ours in (Program(graph, 1).run(x), *run_graph(graph, x)):
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)


sides = st.tuples(st.integers(1, 30), st.integers(1, 30))
modes = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["nearest", "linear", "cubic"]),
        "coordinate_transformation_mode": st.sampled_from(COORDINATES),
        "nearest_mode": st.sampled_from([*ROUNDINGS]),
    }
)


@given(sides, st.tuples(st.sampled_from(SCALES), st.floats(0.2, 4)), modes)
@settings(max_examples=150, deadline=None)
def test_scales(hw, scales, how):
    assume(all(size * scale >= 1.01 for size, scale in zip(hw, scales, strict=True)))
    try:
        check(hw, scales=scales, **how)
    except UnsupportedError as error:
        assert "align_corners" in str(error)


@given(sides, sides, modes)
@settings(max_examples=100, deadline=None)
def test_sizes(hw, new, how):
    check(hw, sizes=new, **how)


@pytest.mark.parametrize("scale", SCALES[3:])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_nearest_of_ten_pixels(scale, rounding):
    """10 pixels times 1.3 are 13, and the eighth begins exactly at pixel 5 or just below it."""
    asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": rounding}
    check((10, 20), scales=(scale, scale), mode="nearest", **asymmetric)
