import subprocess
import sys

import pytest

from darter.errors import DataError, OptionError
from darter.files import ASIDE, read_json
from darter.job.run_folder import RunFolder, new_run_path


def test_a_stage_counts_as_done_when_it_ended_well(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {"data": "photos"})
    with folder.stage("audit"):
        assert not folder.done("audit")
    with pytest.raises(ZeroDivisionError), folder.stage("race"):
        1 / 0  # noqa: B018
    again = RunFolder.open(tmp_path / "run")
    assert again.done("audit")
    assert not again.done("race")
    assert again.run["options"] == {"data": "photos"}


def test_time_of_earlier_sittings_counts(tmp_path):
    folder = RunFolder.create(tmp_path, {})
    folder.save(seconds={"audit": 5.0, "race": 60.0})
    assert RunFolder.open(tmp_path).spent == pytest.approx(65, abs=1)


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(OptionError, match=r"is not empty.*--out"):
        RunFolder.create(tmp_path, {})
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        RunFolder.create(tmp_path / "file", {})


def test_resume_of_what_is_no_run(tmp_path):
    with pytest.raises(DataError, match="holds no run"):
        RunFolder.open(tmp_path)


def test_two_processes_never_share_a_run(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    folder.claim()
    code = (
        "import sys; from pathlib import Path; from darter.job.run_folder import RunFolder; "
        "RunFolder.open(Path(sys.argv[1])).claim()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    second = subprocess.run(command, capture_output=True, text=True)
    assert "another process is working" in second.stderr
    folder.release()
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_what_a_killed_write_left_is_gone_at_the_next_start(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    (folder.path / f".model.onnx.1a2b{ASIDE}").write_bytes(b"half")
    folder.claim()
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "run.json"]


def test_run_json_says_what_made_it(tmp_path):
    RunFolder.create(tmp_path / "run", {})
    run = read_json(tmp_path / "run" / "run.json")
    assert {"python", "numpy", "onnx", "torch"} <= set(run["versions"])
    assert run["machine"]["cores"] >= 1
    assert run["machine"]["cpu"]


def test_runs_get_the_next_free_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "my photos"
    assert new_run_path(photos).name == "my photos-1"
    (tmp_path / "darter-runs" / "my photos-1").mkdir(parents=True)
    assert new_run_path(photos).name == "my photos-2"


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder.create(new_run_path(tmp_path / "photos"), {})
    folder.record("audit", {})
    (folder.path / "pictures").mkdir()
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_folders_above_that_were_made_go_too(tmp_path):
    (tmp_path / "mine").mkdir()
    RunFolder.create(tmp_path / "mine" / "deep" / "run", {}).discard()
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_a_folder_that_was_there_stays(tmp_path):
    RunFolder.create(tmp_path, {}).discard()
    assert tmp_path.exists() and list(tmp_path.iterdir()) == []
