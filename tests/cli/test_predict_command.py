import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.cli.app import main
from darter.dataset import find_samples, pack
from darter.model import ModelInfo
from tests.tiny_models import COLORS, PLAIN, color_model, darter_model, picture, save


@pytest.fixture
def model(tmp_path):
    return darter_model(tmp_path / "model.onnx")


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / "new" / "a.png", "red")
    picture(tmp_path / "new" / "deep" / "b.jpg", (0, 255, 0))
    picture(tmp_path / "new" / "deep" / "c.bmp", "blue")
    (tmp_path / "new" / "notes.txt").write_text("no picture, and not named like one")
    (tmp_path / "new" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "new" / "deep" / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    return tmp_path / "new"


def run(capfd, *arguments):
    """Exit status, stdout and stderr of `darter predict ARGUMENTS`."""
    status = 0
    try:
        main(["predict", *map(str, arguments)])
    except SystemExit as end:
        status = end.code or 0
    out, err = capfd.readouterr()
    return status, out, err


def test_json_lines_of_a_folder_searched_below(capfd, model, folder):
    status, out, err = run(capfd, model, folder, "--json", "--top", 2)
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [row["label"] for row in rows] == ["red", "green", "blue", None]
    assert [row["path"] for row in rows] == [
        str(folder / name) for name in ("a.png", "deep/b.jpg", "deep/c.bmp", "deep/d.png")
    ]
    assert rows[0]["top"][0] == ["red", pytest.approx(0.999909, abs=1e-6)]
    assert len(rows[0]["top"]) == 2
    assert rows[3]["error"].startswith("truncated: ")
    assert err == "darter: 1 of 4 pictures could not be read\n"


def test_csv_has_one_row_a_picture(capfd, model, folder):
    _, out, _ = run(capfd, model, folder, "--csv", "--top", 9)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["label"] for row in rows] == ["red", "green", "blue", ""]
    assert rows[0]["label_3"] in ("green", "blue")
    assert "label_4" not in rows[0]
    assert len({len(row) for row in csv.reader(io.StringIO(out))}) == 1
    assert rows[3]["error"].startswith("truncated: ")


def test_table_names_every_picture_its_label_and_confidence(capfd, model, folder):
    status, out, _ = run(capfd, model, folder)
    lines = [line.split() for line in out.splitlines()]
    assert status == 0
    assert lines[0][:3] == [str(folder / "a.png"), "red", "100.0%"]
    assert lines[3][1] == "truncated:"


def test_names_cannot_move_the_cursor(capfd, model, tmp_path):
    evil = picture(tmp_path / "\x1b[2Jevil\n.png", "red")
    _, out, _ = run(capfd, model, evil)
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1


def test_numbers_beyond_the_range_of_the_training_are_cut_and_said(capfd, tmp_path):
    for name, green in (("within", 4.0), ("beyond", 90.0)):
        Image.fromarray(np.full((8, 8), green, np.float32)).save(tmp_path / f"{name}.tif")
    info = ModelInfo(COLORS, replace(PLAIN, value_range=(0.0, 8.0)))
    model = save(color_model(), tmp_path / "model.onnx", info)
    files = [tmp_path / "within.tif", tmp_path / "beyond.tif"]
    _, out, _ = run(capfd, model, *files, "--json")
    notes = [json.loads(line)["notes"] for line in out.splitlines()]
    assert notes == [["measured range"], ["measured range", "beyond the range"]]
    _, out, _ = run(capfd, model, *files)
    assert ["cut to it" in line for line in out.splitlines()] == [False, True]
    _, out, _ = run(capfd, model, *files, "--csv")
    written = [row["notes"] for row in csv.DictReader(io.StringIO(out))]
    assert written == ["measured range", "measured range|beyond the range"]


def test_unknown_and_its_threshold(capfd, tmp_path):
    path = darter_model(tmp_path / "m.onnx", unknown_below=0.6, temperature=20.0)
    grey = picture(tmp_path / "grey.png", (128, 128, 128))
    assert run(capfd, path, grey)[1].split()[1:4] == ["unknown", "33.3%", "perhaps"]
    row = json.loads(run(capfd, path, grey, "--json")[1])
    assert (row["label"], row["unknown"]) == (None, True)
    row = json.loads(run(capfd, path, grey, "--json", "--unknown-below", "0.1")[1])
    assert row["unknown"] is False


def test_over_views_and_none(capfd, model, tmp_path):
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "p.png")

    def confidence(*options):
        return json.loads(run(capfd, model, tmp_path / "p.png", "--json", *options)[1])["top"]

    assert confidence("--over", "none") == confidence()
    assert confidence("--over", "views:10x5, flip") != confidence()


@pytest.mark.parametrize("flag", ["--json", "--csv", None])
def test_nothing_readable_is_status_2_but_still_a_row(capfd, model, tmp_path, flag):
    status, out, err = run(capfd, model, tmp_path / "absent.png", *([flag] if flag else []))
    assert status == 2
    assert "missing: no such file" in out
    assert "1 of 1 picture could not be read" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to predict"),
        (["{tmp}/empty"], "no pictures in {tmp}/empty"),
        (["--json", "--csv", "x.png"], "--json and --csv: choose one"),
        (["--list", "{tmp}/absent.txt"], "--list {tmp}/absent.txt: No such file"),
        (["--mean", "a,b", "x.png"], "--mean must be numbers with commas"),
        (["--over", "views:3", "x.png"], "views:3x1: expected views:CROPSxSCALES"),
        (["--over", ",", "x.png"], "--over needs names such as views:10x5"),
        (["--classes", "{tmp}/empty", "x.png"], "--classes {tmp}/empty: Is a directory"),
    ],
)
def test_mistakes_are_one_line_and_status_2(capfd, model, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    given = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    status, out, err = run(capfd, model, *given)
    assert (status, out) == (2, "")
    assert err.startswith("darter: " + message.replace("{tmp}", str(tmp_path)))
    assert err.count("\n") == 1


def test_classes_of_a_model_that_names_none(capfd, tmp_path):
    path = save(color_model(), tmp_path / "m.onnx")
    (tmp_path / "names.txt").write_text("\ufeff" + "\n".join(COLORS) + "\n\n", encoding="utf-8")
    red = picture(tmp_path / "a.png", "red")
    _, out, err = run(
        capfd, path, red, "--classes", tmp_path / "names.txt", "--mean", "0", "--std", "1,1,1"
    )
    assert out.split()[1] == "red"
    assert err == ""
    _, out, err = run(capfd, path, red)
    assert out.split()[1:3] == ["class", "0"]
    assert [line.split(":")[0] for line in err.splitlines()] == ["note", "note"]


def darter(*arguments, given=b"", **options):
    command = [sys.executable, "-m", "darter", "predict", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, **options)


def test_picture_and_list_on_stdin(model, tmp_path):
    red = picture(tmp_path / "a.png", "red")
    done = darter(model, "-", "--json", given=red.read_bytes())
    assert json.loads(done.stdout)["path"] == "-"
    assert json.loads(done.stdout)["label"] == "red"
    done = darter(model, "--list", "-", "--csv", given=f"{red}\n\n{red}\n".encode())
    assert len(done.stdout.splitlines()) == 3


def test_works_without_torch_pandas_or_any_extra(model, tmp_path):
    red = picture(tmp_path / "a.png", "red")
    code = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'timm', 'sklearn', 'scipy', 'jinja2'):\n"
        "    sys.modules[name] = None\n"
        "from darter.cli import main\n"
        f"main(['predict', {str(model)!r}, {str(red)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "red"


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape"])
def test_file_name_that_is_no_text(model, tmp_path, encoding):
    odd = os.fsencode(tmp_path) + b"/odd\xff.png"
    Path(os.fsdecode(odd)).write_bytes(picture(tmp_path / "a.png", "red").read_bytes())
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = darter(model, os.fsdecode(odd), "--json", env=environment)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["path"]) == odd


def test_the_runtime_can_be_named_and_a_fallback_is_noted(tmp_path, folder, capfd):
    path = save(color_model(tail=("Hardmax",)), tmp_path / "hardmax.onnx")
    status, _, err = run(capfd, path, folder / "a.png")
    assert status == 0
    assert "note: " in err
    assert "needs Hardmax, which darter has not; it runs on ONNX Runtime instead" in err
    status, _, err = run(capfd, path, folder / "a.png", "--runtime", "onnxruntime")
    assert status == 0
    assert "darter has not" not in err


def test_a_packed_folder_is_as_good_as_the_folder(capfd, model, tmp_path):
    for color in ("blue", "green"):
        picture(tmp_path / "photos" / color / "a.png", color)
    pack(tmp_path / "photos", tmp_path / "packed")
    status, out, _ = run(capfd, model, tmp_path / "packed", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [row["label"] for row in rows] == ["blue", "green"]
    assert rows[0]["path"] == str(tmp_path / "packed" / "blue" / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may search every folder")
def test_a_folder_that_cannot_be_searched_stops_nothing(capfd, model, folder):
    (folder / "deep").chmod(0)
    status, out, err = run(capfd, model, folder, "--json")
    (folder / "deep").chmod(0o755)
    assert status == 0
    assert [json.loads(line)["label"] for line in out.splitlines()] == ["red"]
    assert "deep is left out: Permission denied" in err


HOSTILE = (b"=cmd|'x'!A1.png", b"caf\xe9.png", b"a\x1b[2J\ndarter: fine.png", b"\xc2\x9b2J.png")


def hostile_folder(root):
    root.mkdir()
    for name in HOSTILE:
        picture(root / "plain.png", "red")
        (root / "plain.png").rename(root / os.fsdecode(name))
    return root


def test_hostile_names_reach_no_terminal(capfd, model, tmp_path, monkeypatch):
    folder = hostile_folder(tmp_path / "new")
    monkeypatch.chdir(folder)
    for how in ((), ("--json",)):
        status, out, _ = run(capfd, model, *map(os.fsdecode, HOSTILE), *how)
        assert status == 0 and len(out.splitlines()) == len(HOSTILE)
        assert not set(out) & set("\x1b\x9b\r\x7f")
        assert "caf\\udce9.png" in out


def test_names_survive_csv_and_json(capfd, model, tmp_path, monkeypatch):
    """What `predict` says of pictures is a list of them, which `find_samples` reads."""
    folder = hostile_folder(tmp_path / "new")
    monkeypatch.chdir(folder)
    names = {os.fsdecode(name) for name in HOSTILE}
    _, out, _ = run(capfd, model, *names, "--json")
    assert {json.loads(line)["path"] for line in out.splitlines()} == names
    _, out, _ = run(capfd, model, *names, "--csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert {row["label"] for row in rows} == {"red"}
    assert not any(row["path"].startswith(("=", "+", "-", "@")) for row in rows)
    (folder / "list.csv").write_text(out.replace("red", "a", 2), newline="")
    assert {sample.path.name for sample in find_samples(folder / "list.csv").samples} == names
