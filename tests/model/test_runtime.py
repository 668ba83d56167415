"""Which runtime a model runs on, and what is said about it."""

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import darter
from darter.errors import MissingExtraError, OptionError, UnsupportedError
from darter.model import runtime_of
from tests.fuzz.nets import MAKERS
from tests.tiny_models import color_model, darter_model, save

ONE = np.ones((1, 3, 8, 8), np.float32)


@pytest.fixture
def unsupported(tmp_path):
    """A model with an operation that darter lacks and ONNX Runtime has."""
    return save(color_model(tail=("Hardmax",)), tmp_path / "hardmax.onnx")


def test_darter_runs_what_it_can_without_a_word(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = darter.load(darter_model(tmp_path / "m.onnx"))
    assert session.runtime == "darter"


@pytest.mark.parametrize("runtime", ["darter", "onnxruntime"])
def test_both_give_the_same_answer(tmp_path, runtime):
    session = darter.load(darter_model(tmp_path / "m.onnx"), runtime=runtime)
    assert session.runtime == runtime
    np.testing.assert_allclose(session.run(ONE), [[10, 10, 10]], rtol=1e-6)


def test_auto_warns_and_names_the_nodes_before_it_takes_onnxruntime(unsupported):
    with pytest.warns(
        RuntimeWarning, match=r"max.onnx: needs Hardmax, which darter has not; it runs on O"
    ):
        session = darter.load(unsupported)
    assert session.runtime == "onnxruntime"
    np.testing.assert_allclose(session.run(ONE), [[1, 0, 0]], rtol=1e-4)


def test_darter_alone_refuses_with_the_list(unsupported):
    with pytest.raises(UnsupportedError, match="needs Hardmax, which darter has not"):
        darter.load(unsupported, runtime="darter")


def test_without_onnxruntime_the_remedy_is_named(unsupported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UnsupportedError, match=r"Hardmax.* pip install .*ort"):
        darter.load(unsupported)
    with pytest.raises(MissingExtraError, match=r"pip install .*ort"):
        darter.load(unsupported, runtime="onnxruntime")
    assert darter.load(darter_model(tmp_path / "m.onnx")).run(ONE).shape == (1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "one of auto, darter, onnxruntime; got 'tensorrt'"),
        ({"precision": "float16"}, "float32 or bfloat16, got 'float16'"),
        ({"precision": "bfloat16", "runtime": "onnxruntime"}, "float32 only"),
    ],
)
def test_unknown_choices_are_named(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        darter.load(darter_model(tmp_path / "m.onnx"), **options)


def test_a_file_made_for_one_picture_takes_many_at_once(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx", inputs=(1, 3, 8, 8), outputs=(1, 3)))
    assert session._runtime.batch is None
    assert session.run(np.repeat(ONE, 5, 0)).shape == (5, 3)


def test_bfloat16_is_close(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx"), precision="bfloat16")
    np.testing.assert_allclose(session.run(ONE), [[10, 10, 10]], rtol=3e-2)


def test_the_plan_is_one_line_a_step(tmp_path, unsupported):
    lines = [str(step) for step in darter.load(darter_model(tmp_path / "m.onnx")).plan(batch=2)]
    assert len(lines) >= 2
    assert all(" ms " in line for line in lines)
    with pytest.warns(RuntimeWarning), pytest.raises(UnsupportedError, match="does not tell"):
        darter.load(unsupported).plan()


def test_a_session_is_called_with_pictures(tmp_path):
    answers = darter.load(darter_model(tmp_path / "m.onnx"))([np.full((9, 9, 3), 255, np.uint8)])
    assert [answer.error for answer in answers] == [None]


def test_a_net_in_memory_runs_without_a_file():
    runtime = runtime_of(color_model(), "colors")
    np.testing.assert_allclose(runtime.run(ONE)[0], [[10, 10, 10]], rtol=1e-6)


def test_sizes_left_open_are_planned_as_they_come(tmp_path):
    path = darter_model(tmp_path / "m.onnx", inputs=("n", 3, "h", "w"))
    session = darter.load(path)
    for size in (8, 12, 20, 8):
        assert session.run(np.ones((2, 3, size, size), np.float32)).shape == (2, 3)


def test_threads_share_a_session(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx"), threads=1)
    pictures = np.random.default_rng(0).random((6, 3, 8, 8), np.float32)
    expected = [session.run(pictures[: n + 1]) for n in range(6)]

    def same(n):
        return np.array_equal(session.run(pictures[: n % 6 + 1]), expected[n % 6])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(same, range(4000)))


FORK = """
import os, sys
import numpy as np
import darter
session = darter.load(sys.argv[1], threads=2)
x = np.random.default_rng(0).random((4, 3, 16, 16), np.float32)
expected = session.run(x)
child = os.fork()
if not child:
    right = all(np.array_equal(session.run(x[:n]), expected[:n]) for n in (4, 4, 2))
    os._exit(0 if right else 1)
assert np.array_equal(session.run(x), expected)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_child_of_a_fork_runs_the_same(tmp_path, make):
    path = save(make(), tmp_path / "m.onnx")
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, path], check=True, timeout=60)
