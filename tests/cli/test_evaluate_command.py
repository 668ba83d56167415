import csv
import json

import numpy as np
import pytest

from darter.cli.app import main
from darter.cli.scores import show
from darter.files import write_json
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
    assert len(record["predictions"]) == 7
    wrong = [p for p in record["predictions"] if p["label"] != p["predicted"]]
    assert [p["path"] for p in wrong] == [str(photos / "val" / "red" / "wrong.png")]


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


def test_one_row_per_picture(capfd, model, photos, tmp_path):
    (photos / "val" / "blue" / "=1.png").write_bytes(b"")
    status, _, _ = run(capfd, model, photos, "--csv", tmp_path / "rows.csv")
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert status == 0 and len(rows) == 8
    wrong = [row for row in rows if row["right"] == "False"]
    assert [(row["label"], row["predicted"]) for row in wrong] == [("red", "green")]
    assert all(0 < float(row["confidence"]) <= 1 for row in rows if not row["error"])
    assert [row["error"] for row in rows if row["error"]] == ["empty: the file has 0 bytes"]


def test_a_page_shows_the_mistakes_with_their_pictures(capfd, model, photos, tmp_path):
    status, _, _ = run(capfd, model, photos, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert status == 0
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert "On 7 pictures," in page and "never seen" not in page and "held out" not in page
    assert 'id="mistakes"' in page and 'id="race"' not in page
    assert "wrong.png" in page


def test_a_page_that_cannot_be_written_is_said_before_the_work(capfd, model, photos, tmp_path):
    (tmp_path / "file").write_text("")
    status, out, err = run(capfd, model, photos, "--html", tmp_path / "file" / "page.html")
    assert (status, out) == (2, "") and "cannot write" in err


@pytest.fixture
def trained(tmp_path, model, photos):
    """The folder of a run on the photos."""
    folder = tmp_path / "run"
    folder.mkdir()
    model.rename(folder / "model.onnx")
    names = {
        part: [f"{part}/{color}/{k}.png" for color in ("red", "green") for k in range(2)]
        for part in ("train", "val")
    }
    write_json(folder / "split.json", {**names, "test": [], "how": ""})
    options = {"data": str(photos), "test": None}
    write_json(folder / "run.json", {"options": options, "state": "done"})
    return folder


def test_a_run_is_measured_on_its_own_split(capfd, trained):
    for split, part, pictures in ((None, "val", 4), ("train", "train", 4), ("all", "all", 8)):
        chosen = () if split is None else ("--split", split)
        status, out, err = run(capfd, trained, "--json", *chosen)
        record = json.loads(out)
        assert (status, record["split"], record["n"]) == (0, part, pictures)
        assert ("has learned from these" in err) == (part != "val")
    status, _, err = run(capfd, trained, "--split", "test")
    assert status == 2 and "used no pictures for test; it has train, val" in err


def test_pictures_of_a_run_that_are_gone_are_counted(capfd, trained, photos):
    (photos / "val" / "red" / "1.png").unlink()
    status, _, err = run(capfd, trained)
    assert status == 2 and "1 picture of the val part" in err and "val/red/1.png" in err


def test_a_model_alone_knows_no_pictures(capfd, model):
    status, _, err = run(capfd, model)
    assert status == 2 and "name the labelled pictures, too" in err


def test_a_url_is_not_fetched(capfd, model, photos):
    for arguments in (("https://host/m.onnx", photos), (model, "https://host/photos")):
        status, _, err = run(capfd, *arguments)
        assert status == 2
        assert "https://host" in err and "fetches nothing from a network" in err


def test_a_mix_is_calibrated_and_kept_in_the_file(capfd, model, photos):
    from darter.model import read_info

    mix = ("--over", "flip", "--split", "all")
    status, _, err = run(capfd, model, photos, *mix)
    assert status == 0 and "--over flip were never fitted" in err and "--calibrate" in err
    status, _, err = run(capfd, model, photos, *mix, "--calibrate")
    assert status == 2 and "16 pictures are too few to calibrate" in err
    for number in range(6):
        for color, value in (("red", (255, 9, 0)), ("green", (0, 255, 9)), ("blue", (9, 0, 255))):
            picture(photos / "train" / color / f"more{number}.png", (*value[:2], value[2] | number))
    status, out, err = run(capfd, model, photos, *mix, "--calibrate", "--json")
    assert status == 0 and "kept in" in err and "flatter" in err
    (fitted,) = read_info(model).fitted
    assert fitted.sources == ("flip",) and fitted.calibration.temperature != 1
    told = json.loads(out)["calibration"]
    assert told["temperature"] == pytest.approx(fitted.calibration.temperature)
    status, _, err = run(capfd, model, photos, *mix)
    assert status == 0 and "never fitted" not in err
