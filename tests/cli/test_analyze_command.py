"""`darter analyze` from the outside."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from darter.cli import main
from tests.net.analyze.test_analyze import small_file


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["analyze", *map(str, arguments)])
    return ended.value.code


def test_table_csv_and_json(tmp_path, capsys):
    file = small_file(tmp_path / "net.onnx")
    assert run(file, "--runs", "2", "--csv", tmp_path / "rows.csv") == 0
    said = capsys.readouterr().out
    assert "3 / 2" in said
    assert "272 weights" in said
    rows = [*csv.DictReader((tmp_path / "rows.csv").open())]
    assert rows[0]["name"] == "first"
    assert rows[0]["field"] == "3x3"
    assert run(file, "--runs", "0", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["weights"] == 272
    assert found["layers"][0]["multiply_adds"] == 64 * 8 * 27


def test_page_with_fields_on_a_picture(tmp_path):
    file, page = small_file(tmp_path / "<net>.onnx"), tmp_path / "page.html"
    picture = tmp_path / "bee.png"
    Image.fromarray(np.full((40, 30, 3), 90, np.uint8)).save(picture)
    assert run(file, "--runs", "1", "--html", page, "--image", picture) == 0
    text = page.read_text()
    assert "<net>" not in text
    assert "data:image/png" in text  # the effective field of the first layer
    assert "3 / 2" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_rows_add_up_to_the_time_in_the_last_line(tmp_path, capsys):
    file = small_file(tmp_path / "net.onnx")
    assert run(file, "--runs", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    rows = sum(layer["ms"] for layer in found["layers"])
    assert rows + found["other_ms"] == pytest.approx(found["ms"])
    assert sum(layer["share"] for layer in found["layers"]) <= 1.0000001
    assert found["runs"] >= 3
    assert all(isinstance(x, int) for layer in found["layers"] for x in layer["stride"])


def test_without_times_nothing_says_zero_milliseconds(tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run(small_file(tmp_path / "net.onnx"), "--runs", "0", "--html", page) == 0
    assert "0.000" not in page.read_text() + capsys.readouterr().out
    assert "<th>ms</th>" not in page.read_text()


def test_a_size_that_the_file_does_not_take_is_refused(tmp_path, capsys):
    assert run(small_file(tmp_path / "net.onnx"), "--size", "20") == 2
    assert "pixels only, not of 20×20" in " ".join(capsys.readouterr().err.split())


def test_mistakes_are_sentences(tmp_path, capsys):
    assert run(tmp_path / "missing.onnx") == 2
    assert "no such model file" in capsys.readouterr().err
    assert run(small_file(tmp_path / "net.onnx"), "--image", "x.jpg") == 2
    assert "--html" in capsys.readouterr().err
    assert run("resnet_18x") == 2
    assert "did you mean" in capsys.readouterr().err
