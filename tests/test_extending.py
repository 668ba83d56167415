"""The examples of docs/extending.md run, and what they add works like what is built in."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from darter.conv import ALGORITHMS
from darter.model import TASKS
from darter.net import Program, build, model_in_memory
from darter.net.translate.table import TRANSLATIONS
from darter.picture import TRANSFORMS, Augment

DOCS = Path(__file__).parents[1] / "docs" / "extending.md"
TABLES = (TRANSLATIONS, ALGORITHMS, TRANSFORMS, TASKS)


@pytest.fixture(scope="module")
def added():
    """Every example of the page, run; what it put into the tables is taken out afterwards."""
    before = [dict(table) for table in TABLES]
    names: dict = {"__name__": "extending"}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
        exec(code, names)
    yield names
    for table, old in zip(TABLES, before, strict=True):
        table.clear()
        table.update(old)


def test_the_operation_computes_what_onnx_runtime_does(added):
    graph = helper.make_graph(
        [helper.make_node("Shrink", ["x"], ["y"], lambd=0.7, bias=0.7)],
        "shrink",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 5, 4])],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32)
    (truth,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    ours = Program(build(model_in_memory(model, "m"), "x", (3, 5, 4), ("y",)), 2).run(x)
    np.testing.assert_allclose(ours, truth, atol=1e-6)


def test_the_augmentation_turns_grey_warm_or_cold(added):
    augment = Augment.from_dict(
        {"warmth": {"factor": (2.0, 2.0)}}, 8, mean=(0, 0, 0), std=(1, 1, 1)
    )
    out = np.empty((3, 8, 8), np.float32)
    augment.write(np.full((8, 8, 3), 51, np.uint8), out, 0, 0, 0)
    np.testing.assert_allclose(out[:, 4, 4], (0.4, 0.2, 0.1), atol=0.01)


def test_a_near_miss_is_nearly_right(added):
    logits = np.eye(4)[[0, 1, 3]]
    np.testing.assert_allclose(
        TASKS["ordered"].rightness(logits, np.array([0, 2, 0])), [1, 2 / 3, 0]
    )
