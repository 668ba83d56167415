import json

import numpy as np
import pytest

from darter.cli.app import main
from darter.cli.scores import show
from darter.model import evaluate
from tests.tiny_models import darter_model, picture


@pytest.fixture
def model(tmp_path):
    return darter_model(tmp_path / "model.onnx", unknown_below=0.5)


@pytest.fixture
def photos(tmp_path):
    """train/ and val/ below; one green picture stands under red."""
    root = tmp_path / "photos"
    for split, count in (("train", 3), ("val", 2)):
        for color in ("red", "green", "blue"):
            for number in range(count):
                value = {
                    "red": (255, number, 0),
                    "green": (0, 255, number),
                    "blue": (number, 0, 255),
                }
                picture(root / split / color / f"{number}.png", value[color])
    picture(root / "val" / "red" / "wrong.png", (0, 250, 0))
    return root


def run(capfd, *arguments):
    status = 0
    try:
        main(["evaluate", *map(str, arguments)])
    except SystemExit as end:
        status = end.code or 0
    out, err = capfd.readouterr()
    return status, out, err


def test_json_is_one_object(capfd, model, photos):
    (photos / "val" / "blue" / "broken.png").write_bytes(b"")
    status, out, _ = run(capfd, model, photos, "--json")
    record = json.loads(out)
    assert status == 0
    assert (record["split"], record["n"], record["accuracy"]) == ("val", 7, pytest.approx(6 / 7))
    assert record["interval"] == [pytest.approx(0.4869, abs=1e-4), pytest.approx(0.9743, abs=1e-4)]
    assert record["confusion"] == {
        "labels": ["red", "green", "blue"],
        "matrix": [[2, 1, 0], [0, 2, 0], [0, 0, 2]],
    }
    assert record["per_class"][0] == {
        "label": "red", "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": 0.8, "count": 3,
    }  # fmt: skip
    assert record["ece"] == pytest.approx(1 / 7, abs=0.01)
    assert record["calibration"]["coverage"] == 1.0
    assert record["unreadable"] == [
        {
            "path": str(photos / "val" / "blue" / "broken.png"),
            "error": "empty: the file has 0 bytes",
        }
    ]
    assert "predictions" not in record


@pytest.mark.parametrize("columns", ["40", "80", "120"])
def test_tables_fit_the_terminal(capfd, model, photos, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run(capfd, model, photos)
    assert "Accuracy 85.7% (6 of 7 pictures; 95% interval 48.7% to 97.4%)" in " ".join(out.split())
    assert all(len(line) <= int(columns) for line in out.splitlines()[1:])


def test_many_classes_become_a_list_of_mixups(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    classes = tuple(f"kind {number}" for number in range(30))
    logits = np.eye(30)[[*range(30), 7, 7, 9]]
    show(evaluate(logits, [*range(30), 3, 3, 2], classes), "thirty kinds")
    mixups = capfd.readouterr().out.split("mistaken for")[1]
    rows = [line.split() for line in mixups.splitlines() if "kind" in line]
    assert rows == [["kind", "3", "kind", "7", "2"], ["kind", "2", "kind", "9", "1"]]


def test_split_is_chosen_and_named(capfd, model, photos):
    for split, count in (("train", 9), ("all", 16), ("val", 7)):
        record = json.loads(run(capfd, model, photos, "--json", "--split", split)[1])
        assert record["n"] == count
    status, _, err = run(capfd, model, photos, "--split", "test")
    assert status == 2
    assert err == f"darter: {photos} has no split test; its splits: train, val\n"


def test_training_pictures_alone_are_not_measured_by_accident(capfd, model, photos):
    for picture_file in (photos / "val").rglob("*.png"):
        picture_file.unlink()
    status, _, err = run(capfd, model, photos)
    assert status == 2
    assert "measuring on train flatters the model" in err


def test_one_class_alone_can_be_measured(capfd, model, tmp_path):
    picture(tmp_path / "one" / "blue" / "1.png", "blue")
    record = json.loads(run(capfd, model, tmp_path / "one", "--json")[1])
    assert record["n"] == 1
    assert record["per_class"][0]["recall"] is None


def test_csv_of_labels(capfd, model, photos):
    (photos / "list.csv").write_text("path,label\nval/red/0.png,red\nval/red/wrong.png,green\n")
    record = json.loads(run(capfd, model, photos / "list.csv", "--json")[1])
    assert (record["n"], record["accuracy"]) == (2, 1.0)


def test_unknown_class_is_named_with_a_guess(capfd, model, tmp_path):
    picture(tmp_path / "odd" / "Red" / "1.png", "red")
    picture(tmp_path / "odd" / "pink" / "1.png", "pink")
    status, _, err = run(capfd, model, tmp_path / "odd")
    assert status == 2
    assert err == (
        "darter: the model does not know the classes Red, pink; it knows red, green, blue. "
        "Rename or leave out what it cannot know. Is Red its red?\n"
    )


def test_nothing_readable_is_said(capfd, model, tmp_path):
    (tmp_path / "bad" / "red").mkdir(parents=True)
    (tmp_path / "bad" / "red" / "1.png").write_bytes(b"")
    status, _, err = run(capfd, model, tmp_path / "bad")
    assert status == 2
    assert "none of the 1 pictures can be read, e.g. " in err
