"""Every example runs, as its first lines say."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.tiny_models import COLORS, darter_model, picture

EXAMPLES = Path(__file__).parents[2] / "examples"
RGB = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("examples")
    for color in COLORS:
        for number in range(3):
            picture(place / "labelled" / color / f"{color}{number}.png", RGB[color])
            picture(place / "inbox" / f"{color}{number}.png", RGB[color])
    Image.new("RGB", (9, 9), (250, 245, 10)).save(place / "inbox" / "doubtful.png")
    (place / "inbox" / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    darter_model(place / "model.onnx", unknown_below=0.7)
    darter_model(place / "wrong.onnx", scale=-10.0)
    return place


def run(name, *arguments, cwd):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_pictures_are_sorted(folder):
    run("sort_pictures.py", "model.onnx", "inbox", "sorted", cwd=folder)
    found = {p.parent.name: p.name for p in (folder / "sorted").rglob("*.*")}
    assert set(found) == {*COLORS, "unknown", "unreadable"}
    assert (found["unknown"], found["unreadable"]) == ("doubtful.png", "broken.jpg")


def test_the_doubtful_come_first(folder):
    lines = run("label_helper.py", "model.onnx", "inbox", "2", cwd=folder).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("inbox/doubtful.png\tred")


def test_models_are_compared(folder):
    told = run("compare_models.py", "labelled", "model.onnx", "wrong.onnx", cwd=folder)
    assert "right by one alone: 9, by the other alone: 0; p = 0.004" in told
    assert "they differ" in told
    assert "may be chance" in run(
        "compare_models.py", "labelled", "model.onnx", "model.onnx", cwd=folder
    )


def test_the_readme_lists_every_example():
    page = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or path.name in page
