import json

import numpy as np
import pytest

from darter.cli import main
from tests.picture.odd_files import jpeg, picture, write_odd_folder


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["audit", *map(str, arguments)])
    return end.value.code or 0


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd") / "pictures"
    return root, write_odd_folder(root)


def test_table_names_every_file_that_is_left_out(odd, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    root, expected = odd
    assert run(root) == 0
    printed = capsys.readouterr().out
    for path, kinds in expected.items():
        if "truncated" in kinds or "not an image" in kinds or "conflict" in kinds:
            assert path in printed
    assert "45 pictures of 2 classes can be used; 30 files left out." in printed


def test_json_and_file_hold_the_same(odd, tmp_path, capsys):
    root, expected = odd
    assert run(root, "--json", "--out", tmp_path / "audit.json", "--threads", 2) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "audit.json").read_text())
    assert {f["path"] for f in printed["findings"]} == set(expected)


def test_given_test_split(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("ant", "bee"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(3):
                (tmp_path / split / label / f"{number}.jpg").write_bytes(jpeg(picture(rng)))
    assert run(tmp_path, "--test", "val", "--json") == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts == {"ant": {"train": 3, "test": 3}, "bee": {"train": 3, "test": 3}}


def test_missing_folder_is_one_sentence_and_status_2(tmp_path, capsys):
    assert run(tmp_path / "nowhere") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("darter: ") and "does not exist" in captured.err
    assert "Traceback" not in captured.err
