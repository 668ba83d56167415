"""darter from Python: every example of the docstrings runs, and values show themselves."""

import doctest
import re
import shutil
from pathlib import Path

import pytest

import darter
from darter.api import auditing, evaluating, run, training
from darter.errors import DataError, OptionError
from darter.files import read_json, write_json
from darter.model import Prediction
from tests.job.test_job import write_stripes
from tests.tiny_models import darter_model, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """photos/, and what training on them leaves: run/, model.onnx. The examples are its making."""
    place = tmp_path_factory.mktemp("python")
    write_stripes(place / "photos", 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        for module in (auditing, training, run, evaluating):
            found = doctest.testmod(module)
            assert found.attempted and not found.failed, module.__name__
            if module is training:
                shutil.copy("run/model.onnx", "model.onnx")
    return place


def test_a_run_shows_itself(folder):
    done = darter.Run(folder / "run")
    assert re.fullmatch(r"<Run .*: accuracy .*% on 4 test pictures, 95% interval .*>", repr(done))
    html = done._repr_html_()
    assert "linear-probe" in html and str(done.path / "report.html") in html
    assert done.verdict in html.replace("&#x27;", "'")
    assert "srcdoc" in done.report._repr_html_()
    assert Path(done.report).is_file()
    assert done.record["command"].startswith("darter.fit('photos', time='60s'")


def test_a_run_is_measured_on_its_own_and_on_other_pictures(folder):
    done = darter.Run(folder / "run")
    assert done.evaluate().n == done.result["n"]
    assert done.evaluate(split="all").n == 24
    assert done.evaluate(folder / "photos").n == 24


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on_and_does(folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    record = read_json(tmp_path / "run" / "run.json")
    write_json(tmp_path / "run" / "run.json", record | {"state": "interrupted"})
    halted = darter.Run(tmp_path / "run")
    assert "interrupted" in repr(halted) and "interrupted" in halted._repr_html_()
    for name in ("result", "model", "report", "verdict"):
        with pytest.raises(DataError, match=r"is not finished; go on with: darter\.Run\("):
            getattr(halted, name)
    assert halted.resume(quiet=True).result["n"] == 4


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(DataError, match="holds no run of darter"):
        darter.Run(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"time": "soon"}, "time 'soon': expected"), ({"epochs": -1}, "epochs = -1"),
     ({"epoch": 3}, "unknown argument epoch; did you mean epochs?"),
     ({"tme": "4m"}, "unknown argument tme; did you mean time?"),
     ({"xyzzy": 1}, "unknown argument xyzzy; it takes time, out, .*entries of a recipe: strategy"),
     ({"recipe": "none.toml"}, "cannot read the recipe")],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_made(folder, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OptionError, DataError), match=said):
        darter.fit(folder / "photos", **options)
    assert not list(tmp_path.iterdir())


def test_an_audit_and_an_evaluation_show_pictures(folder):
    html = darter.audit(folder / "photos")._repr_html_()
    assert html.count("<img") >= 8 and "24 pictures of 2 classes can be used" in html
    html = darter.evaluate(folder / "model.onnx", folder / "photos")._repr_html_()
    assert "Accuracy" in html and "upright" in html


def test_predictions_show_their_pictures(tmp_path):
    red = picture(tmp_path / "<red>.png", (255, 0, 0))
    answers = darter.load(darter_model(tmp_path / "m.onnx"))([red, tmp_path / "gone.png"])
    html = answers._repr_html_()
    assert "data:image/jpeg;base64," in html and "red 100%" in html and "gone.png" in html
    assert "<red>" not in html
    first, second = (each._repr_html_() for each in answers)
    assert "<table>" in first and "green" in first
    assert "gone.png" in second and "<table>" not in second


def test_a_prediction_of_pixels_has_no_picture():
    answer = Prediction("picture 1", "ant", 0.9, False, (("ant", 0.9),), labels=("ant",))
    assert "<img" not in answer._repr_html_()
