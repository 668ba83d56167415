"""`darter.precision` in a file: followed where the CPU can, and the user wins."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from darter.errors import ModelFileError, OptionError
from darter.kernels import available_isas, using_isa
from darter.model import load, read_info, runtime_of, write_info
from tests.tiny_models import darter_model, picture

X = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def short(tmp_path):
    """A file that asks for bfloat16."""
    path = darter_model(tmp_path / "model.onnx")
    write_info(path, replace(read_info(path), precision="bfloat16"))
    return path


@pytest.fixture(params=[True, False], ids=["CPU with bfloat16", "CPU without"])
def able(request, monkeypatch):
    monkeypatch.setattr("darter.model.precision.has_bfloat16", lambda: request.param)
    return request.param


def test_the_file_is_followed_where_the_cpu_can(short, able):
    session = load(short)
    taken = "bfloat16" if able else "float32"
    assert session.precision == taken
    np.testing.assert_array_equal(session.run(X), load(short, precision=taken).run(X))
    (note,) = session.notes
    assert f"runs in {session.why_precision}" in note
    assert ("the file asks for it" if able else "this CPU") in note


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_user_wins(short, able, precision):
    session = load(short, precision=precision)
    assert (session.precision, session.notes) == (precision, ())
    assert session.why_precision == f"{precision}, as asked for"


def test_a_file_that_asks_for_nothing_runs_in_float32(tmp_path, able):
    path = darter_model(tmp_path / "model.onnx")
    assert "darter.precision" not in {p.key for p in onnx.load(path).metadata_props}
    session = load(path)
    assert (session.precision, session.notes) == ("float32", ())


def test_instructions_that_are_not_used_do_not_count(short):
    with using_isa(available_isas()[0]):
        assert load(short).precision == "float32"


def test_onnx_runtime_has_float32_only(short, able):
    pytest.importorskip("onnxruntime")
    session = load(short, runtime="onnxruntime")
    assert session.precision == "float32" and "ONNX Runtime" in session.notes[0]
    with pytest.raises(OptionError, match="float32 only"):
        load(short, runtime="onnxruntime", precision="bfloat16")


def test_a_proof_is_in_float32_whatever_the_file_asks_for(short, able):
    assert runtime_of(onnx.load(short), "a net", runtime="darter").precision == "float32"


def test_what_is_no_precision_is_said(short):
    model = onnx.load(short)
    for entry in model.metadata_props:
        if entry.key == "darter.precision":
            entry.value = '"int4"'
    onnx.save(model, short)
    with pytest.raises(ModelFileError, match=r"must be float32 or bfloat16; got 'int4'"):
        load(short)


def test_predict_says_what_runs(short, able, tmp_path, capsys):
    from darter.cli import main

    red = picture(tmp_path / "red.png", "red")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(short), str(red)])
    assert ended.value.code in (0, None)
    said = " ".join(capsys.readouterr().err.split())
    assert ("runs in bfloat16" if able else "runs in float32, though") in said
