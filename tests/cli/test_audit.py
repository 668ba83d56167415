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
    assert "51 pictures of 2 classes can be used; 29 files left out." in printed


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


def pictures(folder, count, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(jpeg(picture(rng)))


def test_what_train_would_refuse_is_listed_all_the_same(tmp_path, capsys):
    pictures(tmp_path / "one" / "ant", 5)
    (tmp_path / "one" / "bee").mkdir()
    assert run(tmp_path / "one") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "5 pictures of 1 class can be used" in printed
    assert "Empty class folder: bee/." in printed
    assert "darter train would refuse this: " in printed and "one class only (ant)" in printed


def test_no_usable_picture_at_all_is_an_audit_too(tmp_path, capsys):
    for label in ("ant", "bee"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "broken.jpg").write_bytes(b"")
    assert run(tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 0 and len(found["findings"]) == 2
    assert "fewer than two classes have a usable picture" in found["train_refuses"]


def test_empty_folders_are_an_audit_too(tmp_path, capsys):
    assert run(tmp_path) == 0
    assert "is empty" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "ant").mkdir()
    assert run(tmp_path) == 0
    assert "Empty class folder: ant/." in capsys.readouterr().out


def test_fewer_than_4_per_class_is_said_in_those_words(tmp_path, capsys):
    pictures(tmp_path / "ant", 3, seed=1)
    pictures(tmp_path / "bee", 3, seed=2)
    assert run(tmp_path) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Fewer than 4 per class: ant (3), bee (3)" in printed
    assert "would refuse this" in printed


def test_a_class_of_the_test_split_alone_is_named(tmp_path, capsys):
    for label, seed in (("ant", 1), ("bee", 2)):
        pictures(tmp_path / "train" / label, 5, seed)
    pictures(tmp_path / "test" / "wasp", 2, 3)
    assert run(tmp_path) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Class wasp has pictures in the test split only" in printed
