"""`darter detect` and `darter caption`, and how commands refuse each other's files."""

import csv
import io
import json

import numpy as np
import pytest
from annotated import shapes, voc
from PIL import Image

from darter.cli import main

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An untrained detector and a retrieval of captions, as files; and pictures."""
    from darter.caption import CaptionExamples, Captioning, grid_features, make_retrieval
    from darter.caption import export as export_captions
    from darter.detect import OneStage, export, make_preprocess
    from darter.model import Calibration, ModelInfo, Vocabulary
    from darter.picture import Preprocess
    from darter.transfer import zoo

    root = tmp_path_factory.mktemp("made")
    pictures = sorted((shapes(root / "shapes", 3) / "JPEGImages").iterdir())
    backbone = zoo.load()
    calibration = Calibration(1.0, 0.0, (0.009, 0.009))
    info = ModelInfo(("disc", "square"), make_preprocess(backbone, (64, 96)), calibration,
                     task="detect")  # fmt: skip
    export(OneStage(backbone, 2, (64, 96)), root / "detector.onnx", info, pictures)
    preprocess = Preprocess(64, 64, "squash", backbone.mean, backbone.std)
    words = Vocabulary.of(["one disc", "two squares"], least=1)
    grids = grid_features(backbone, pictures[:2], preprocess)
    known = CaptionExamples(grids, [("one disc",), ("two squares",)], ["a", "b"], words, 4)
    model = Captioning(backbone, grids.shape[2], len(words.words), 4)
    info = ModelInfo(words.words, preprocess, task="caption")
    nearest = make_retrieval(model, known, words, 4)
    export_captions(nearest, root / "captions.onnx", info, pictures[:2])
    return root, pictures


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_a_detector_counts_draws_and_lists(made, capsys, tmp_path):
    root, pictures = made
    model, first, drawings = root / "detector.onnx", pictures[0], tmp_path / "drawn"
    status, out, _ = run(capsys, "detect", model, *pictures, "--draw", drawings)
    assert status == 0 and len(out.splitlines()) == 4
    drawn = sorted(path.name for path in drawings.iterdir())
    assert drawn == [path.name for path in pictures]
    assert np.asarray(Image.open(drawings / drawn[0])).shape == (64, 96, 3)
    status, out, err = run(capsys, "detect", model, first, "no.jpg", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and "1 of 2 pictures could not be read" in err
    assert rows[-1]["path"] == "no.jpg" and rows[-1]["error"]
    assert all(float(row["x1"]) <= 96 and float(row["y1"]) <= 64 for row in rows[:-1])
    status, out, _ = run(capsys, "detect", model, first, "--json", "--tiles", 2)
    found = json.loads(out)
    assert [c["name"] for c in found["categories"]] == ["disc", "square"]
    assert {a["image_id"] for a in found["annotations"]} <= {1}
    status, out, _ = run(capsys, "detect", model, first, "--least", 1)
    assert out.strip().endswith("nothing")
    assert run(capsys, "detect", model, "no.jpg")[0] == 2


def test_a_detector_is_evaluated(made, capsys, tmp_path):
    root, _ = made
    model, page, table = root / "detector.onnx", tmp_path / "page.html", tmp_path / "rows.csv"
    files = ("--html", page, "--csv", table)
    status, out, _ = run(capsys, "evaluate", model, root / "shapes", "--json", *files)
    found = json.loads(out)
    assert status == 0 and {"ap50", "ap", "intervals", "per_class", "curves"} <= found.keys()
    assert found["n"] == len(list(csv.DictReader(table.open()))) == 3
    assert "Missed, and told wrongly" in page.read_text()
    status, out, _ = run(capsys, "evaluate", model, root / "shapes")
    assert "AP50" in out and "square" in out
    Image.new("RGB", (40, 30)).save(tmp_path / "1.png")
    voc(tmp_path / "1.xml", [("cat", (2, 2, 20, 20))], (40, 30))
    status, _, err = run(capsys, "evaluate", model, tmp_path)
    assert status == 2 and "no box is of a class that the model knows (disc, square)" in err


def test_captions(made, capsys, tmp_path):
    root, pictures = made
    model = root / "captions.onnx"
    _, out, _ = run(capsys, "caption", model, *pictures[:2], "no.jpg", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["caption"] for row in rows] == ["one disc", "two squares", ""]
    _, out, _ = run(capsys, "caption", model, pictures[0], "--json")
    assert json.loads(out)["caption"] == "one disc"
    (tmp_path / "list.csv").write_text(f"path,caption\n{pictures[0]},One disc!\n")
    _, out, _ = run(capsys, "evaluate", model, tmp_path / "list.csv", "--json")
    assert json.loads(out)["exact"] == 1


@pytest.mark.parametrize(("command", "file", "words"), [
    ("predict", "detector.onnx", "use `darter detect`"),
    ("predict", "captions.onnx", "use `darter caption`"),
    ("detect", "captions.onnx", "use `darter caption`"),
    ("caption", "detector.onnx", "use `darter detect`"),
])  # fmt: skip
def test_each_command_refuses_the_others_files(made, capsys, command, file, words):
    root, pictures = made
    status, out, err = run(capsys, command, root / file, pictures[0])
    assert (status, out) == (2, "") and words in err
