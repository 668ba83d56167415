"""The main job from end to end, with the real backbone, on small generated pictures."""

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.files import read_json, write_json
from tests.picture.odd_files import write_odd_folder

QUICK = ("--strategy", "fine-tune-last", "--epochs", "2", "--size", "64")


def darter(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "darter", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def write_stripes(root: Path, per_class: int = 16) -> Path:
    """Two classes that a person tells apart at once: upright and level stripes."""
    rng = np.random.default_rng(0)
    for label in ("level", "upright"):
        (root / label).mkdir(parents=True)
        for number in range(per_class):
            wave = 128 + 100 * np.sin(np.arange(80) / rng.uniform(2, 5) + rng.uniform(0, 6))
            grey = np.tile(wave, (80, 1)) + rng.normal(0, 12, (80, 80))
            pixels = np.stack([grey if label == "upright" else grey.T] * 3, axis=2)
            tinted = np.clip(pixels * rng.uniform(0.7, 1, 3), 0, 255).astype(np.uint8)
            Image.fromarray(tinted).save(root / label / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    done = darter("train", write_stripes(folder / "stripes"), "--out", folder / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_run_leaves_every_record(run):
    files = {path.name for path in run.iterdir()}
    records = ("run", "audit", "split", "race", "evaluation", "parity", "explain", "speed")
    assert {f"{name}.json" for name in records} <= files
    assert {"recipe.toml", "metrics.jsonl", "model.onnx", "report.html"} <= files
    entries = read_json(run / "run.json")
    assert entries["state"] == "done"
    assert entries["result"]["n"] == len(read_json(run / "split.json")["test"])
    assert entries["result"]["accuracy"] >= 0.9
    assert entries["baseline"]["accuracy"] > 0.5
    assert f"{entries['result']['accuracy']:.1%}" in entries["verdict"]


def test_test_pictures_choose_nothing(run):
    split = read_json(run / "split.json")
    parts = [set(split[name]) for name in ("train", "val", "test")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    judged = {p["path"] for p in read_json(run / "evaluation.json")["predictions"]}
    assert judged == set(split["test"])


def test_the_model_answers_in_a_process_without_torch(run):
    picture = run.parent / "stripes" / read_json(run / "split.json")["test"][0]
    code = (
        "import sys; sys.modules['torch'] = None; from darter.cli import main; "
        f"main(['predict', {str(run / 'model.onnx')!r}, {str(picture)!r}, '--csv'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (answer,) = csv.DictReader(done.stdout.splitlines())
    assert answer["label"] == picture.parent.name


def test_a_small_test_shows_validation_mistakes_too(run):
    shown = read_json(run / "explain.json")["validation"]
    judged = {p["path"] for p in read_json(run / "evaluation.json")["predictions"]}
    split = read_json(run / "split.json")
    assert shown["n"] == len(split["val"])
    assert {m["path"] for m in shown["mistakes"]} <= set(split["val"]) - judged


def test_the_run_can_be_measured_again_on_its_own_split(run):
    again = json.loads(darter("evaluate", run, "--split", "test", "--json").stdout)
    first = read_json(run / "evaluation.json")
    assert (again["n"], again["accuracy"]) == (first["n"], first["accuracy"])


def test_the_card_in_the_file_says_where_it_came_from(run):
    from darter.model import read_info

    card = read_info(run / "model.onnx").card
    assert card["strategy"] == "fine-tune-last"
    assert card["metrics"]["result"] == read_json(run / "run.json")["result"]


def test_a_finished_run_is_not_trained_again(run):
    before = (run / "model.onnx").read_bytes()
    done = darter("train", "--resume", run, "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("result     right for", "verdict", f"look at    {run / 'report.html'}",
                  f"next       darter predict {run / 'model.onnx'} new.jpg"):  # fmt: skip
        assert words in done.stdout
    told = json.loads(darter("train", "--resume", run, "--json").stdout)
    assert (told["state"], told["model"]) == ("done", str(run / "model.onnx"))
    assert told["result"] == read_json(run / "run.json")["result"]
    assert (run / "model.onnx").read_bytes() == before
    again = darter("train", run.parent / "stripes", "--out", run)
    assert again.returncode == 2
    assert "--resume" in again.stderr


def test_a_run_whose_pictures_changed_does_not_go_on(run, tmp_path):
    import shutil

    copy, stripes = tmp_path / "run", run.parent / "stripes"
    shutil.copytree(run, copy)
    write_json(copy / "run.json", read_json(run / "run.json") | {"state": "interrupted"})
    extra = stripes / "level" / "extra.png"
    Image.fromarray(np.full((80, 80, 3), 7, np.uint8)).save(extra)
    try:
        done = darter("train", "--resume", copy)
    finally:
        extra.unlink()
    assert done.returncode == 2
    assert "have changed" in done.stderr


def test_a_run_whose_picture_was_replaced_does_not_go_on(run, tmp_path):
    import shutil

    copy, stripes = tmp_path / "run", run.parent / "stripes"
    shutil.copytree(run, copy)
    write_json(copy / "run.json", read_json(run / "run.json") | {"state": "interrupted"})
    picture = stripes / "level" / "3.png"
    before = picture.read_bytes()
    Image.fromarray(np.full((80, 80, 3), 7, np.uint8)).save(picture)
    try:
        done = darter("train", "--resume", copy)
    finally:
        picture.write_bytes(before)
    assert done.returncode == 2
    assert "(level/3.png was replaced)" in done.stderr


@pytest.mark.slow
def test_leaks_of_given_parts_are_counted_everywhere(tmp_path):
    """Exact copies leave training; a recompressed one stays, and the headline says so."""
    import shutil

    stripes = write_stripes(tmp_path / "all", per_class=20)
    for number, path in enumerate(sorted(stripes.rglob("*.png"))):
        part = ("train", "train", "val", "test")[number % 4]
        target = tmp_path / "data" / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    tests = sorted((tmp_path / "data" / "test" / "level").iterdir())
    shutil.copy(tests[0], tmp_path / "data" / "train" / "level" / "copy.png")
    with Image.open(tests[1]) as picture:
        picture.save(tmp_path / "data" / "train" / "level" / "again.jpg")
    done = darter("train", tmp_path / "data", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    records = read_json(tmp_path / "run" / "run.json")
    assert records["leaks"]["copies"] == 1 and records["leaks"]["alike"] >= 1
    assert "nearly the same as pictures that were learned from" in records["verdict"]
    assert "1 picture was left out, as a copy of it is in a later part" in records["verdict"]
    train = read_json(tmp_path / "run" / "split.json")["train"]
    assert "train/level/copy.png" not in train and "train/level/again.jpg" in train
    page = (tmp_path / "run" / "report.html").read_text()
    assert "it had never seen" not in page
    assert "nearly the same as pictures that were learned from" in page
    assert "1 picture left out of your training" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["."], "is empty"),
        ([], "name a folder"),
        ([".", "--time", "soon"], "--time 'soon'"),
        ([".", "--strategy", "magic"], "magic"),
        ([".", "--recipe", "none.toml"], "none.toml"),
        ([".", "--size", "3"], "size"),
        ([".", "--device", "gpu"], "--device gpu"),
        (["--resume", "."], "holds no run"),
        (
            ["--resume", ".", "--strategy", "scratch", "--time", "5m"],
            "leave --strategy, --time out",
        ),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing_behind(tmp_path, arguments, words):
    done = darter("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fewer_than_4_per_class_is_said_before_the_work(tmp_path):
    done = darter("train", write_stripes(tmp_path / "few", 3), cwd=tmp_path)
    assert done.returncode == 2
    assert "fewer than 4 per class: level (3), upright (3)" in done.stderr
    assert "features" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["few"]


def test_damaged_weights_leave_no_run_behind(run, tmp_path):
    (tmp_path / "net.pth").write_bytes(b"not weights")
    done = darter("train", run.parent / "stripes", "--weights", "net.pth", cwd=tmp_path)
    assert done.returncode == 2 and "net.pth" in done.stderr
    assert "Traceback" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.pth"]
    assert "audit" not in done.stderr, "no work before the refusal"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--out", "file/run", "file"),
        ("--out", "/proc/nowhere/run", "/proc/nowhere"),
        ("--out", "n" * 300, "File name too long"),
        ("--backbone", "resnet_of_nobody", "no backbone is called"),
        ("--weights", "other.pth", "does not fit"),
    ],
)
def test_what_is_impossible_is_refused_before_any_work(run, tmp_path, option, value, words):
    import torch

    (tmp_path / "file").write_text("")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    done = darter("train", run.parent / "stripes", option, value, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr
    assert "Traceback" not in done.stderr and "audit" not in done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "other.pth"]


def test_numbers_without_a_white_are_learned_with_one_range(tmp_path):
    """Two classes of smooth floats that only the size of the numbers tells apart."""
    from darter.model import read_info
    from darter.picture import decode

    rng = np.random.default_rng(0)
    for label, base in (("low", -300), ("high", 900)):
        (tmp_path / "heights" / label).mkdir(parents=True)
        for number in range(12):
            values = base + 100 * rng.random((64, 64), np.float32)
            Image.fromarray(values).save(tmp_path / "heights" / label / f"{number}.tif")
    done = darter("train", tmp_path / "heights", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    black, white = read_json(tmp_path / "run" / "audit.json")["value_range"]
    assert -300 <= black < -290 and 990 < white <= 1000
    model = tmp_path / "run" / "model.onnx"
    preprocess = read_info(model).preprocess
    assert preprocess.value_range == (black, white)
    new = tmp_path / "heights" / "high" / "0.tif"
    shown = decode(new, value_range=preprocess.value_range)
    assert shown.pixels.min() > 200
    done = darter("predict", model, tmp_path / "heights", "--json", "--unknown-below", "0")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    right = [row["label"] == Path(row["path"]).parent.name for row in rows]
    assert len(rows) == 24 and np.mean(right) > 0.9


@pytest.mark.slow
def test_thirty_kinds_of_odd_files_are_named_and_the_rest_trains(tmp_path):
    expected = write_odd_folder(tmp_path / "odd")
    assert len(expected) >= 30
    done = darter("train", tmp_path / "odd", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for finding in read_json(tmp_path / "run" / "audit.json")["findings"]:
        found.setdefault(finding["path"], set()).add(finding["kind"])
    for name, kinds in expected.items():
        assert set(kinds) <= found.get(name, set()), name
    assert "<script>alert" not in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_killed_twenty_times_ends_in_the_same_bits(run, tmp_path):
    """SIGKILL at random moments, resumed each time: the weights of a run that was left alone.

    Every fourth kill falls anywhere before the training, the others into it. The recipe leaves
    nothing to be chosen by times, which are others in the second run.
    """
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'strategy = "fine-tune-all"\nlearning_rate = 0.0004\nepochs = 60\nsize = 96\n'
        'precision = "float32"\ncompute = "pytorch"\nbatch_size = 4\npatience = 0\n'
    )
    first = (run.parent / "stripes", "--recipe", recipe, "--time", "1h", "--out")
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    done = darter("train", *first, alone)
    assert done.returncode == 0, done.stderr
    seconds = read_json(alone / "run.json")["seconds"]
    before = sum(seconds[stage] for stage in ("audit", "features", "race"))
    moments = random.Random(0)
    for number in range(20):
        resume = (killed / "run.json").exists()
        arguments = ("--resume", killed) if resume else (*first, killed)
        saved = saved_at(killed)
        process = subprocess.Popen(
            [sys.executable, "-m", "darter", "train", *map(str, arguments)],
            stderr=subprocess.DEVNULL,
        )
        if number % 4:
            while saved_at(killed) == saved and process.poll() is None:
                time.sleep(0.01)
            time.sleep(moments.uniform(0, seconds["train"] / 40))
        else:
            time.sleep(moments.uniform(0, before))
        assert process.poll() is None, "ended before it was killed"
        process.kill()
        process.wait()
    done = darter("train", "--resume", killed)
    assert done.returncode == 0, done.stderr
    assert weights(killed) == weights(alone)


def saved_at(run: Path) -> int:
    """When the last checkpoint was written, 0 if there is none."""
    file = run / "checkpoints" / "last.pt"
    return file.stat().st_mtime_ns if file.exists() else 0


def weights(run: Path) -> dict[str, bytes]:
    import onnx

    graph = onnx.load(run / "model.onnx").graph
    return {tensor.name: tensor.SerializeToString() for tensor in graph.initializer}
