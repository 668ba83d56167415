import errno
import os
import stat
import time
from pathlib import Path

import pytest

from darter import files
from darter.errors import DataError
from darter.files import (
    cannot_write,
    check_writable,
    clean,
    read_json,
    user_cache,
    write_atomic,
    write_json,
)


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_written_files_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file", "content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


def test_what_a_killed_write_left_is_cleaned(tmp_path):
    pid = os.fork()
    if not pid:  # a process that is killed between writing and renaming
        Path.replace = lambda *_: os._exit(9)
        write_atomic(tmp_path / "model.onnx", b"half")
    os.waitpid(pid, 0)
    (tmp_path / ".other").write_text("not ours")
    (left,) = tmp_path.glob(f".*{files.ASIDE}")
    clean(tmp_path, older_than=3600)
    assert left.exists(), "another process may be writing it"
    os.utime(left, (time.time() - 7200,) * 2)
    clean(tmp_path, older_than=3600)
    assert [entry.name for entry in tmp_path.iterdir()] == [".other"]
    clean(tmp_path / "nowhere")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_atomic(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"No space left on device\. Free some space"):
        write_atomic(tmp_path / "file", "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_the_longest_name_can_be_written(tmp_path):
    name = "n" * 255
    write_atomic(tmp_path / name, "content")
    assert (tmp_path / name).read_text() == "content"


@pytest.mark.parametrize("write", [check_writable, lambda path: write_atomic(path, "")])
def test_what_cannot_be_written_is_a_sentence(tmp_path, write):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder: Is a directory\. Choose another name\."):
        write(tmp_path / "folder")
    with pytest.raises(DataError, match=r"cannot write .*file/x"):
        write(tmp_path / "file" / "x")
    with pytest.raises(DataError, match="cannot write /proc/nowhere/x"):
        write(Path("/proc/nowhere/x"))
    with pytest.raises(DataError, match=r"cannot write a\\x00b"):
        write(Path("a\0b"))
    with pytest.raises(DataError, match="cannot write"):
        write(tmp_path / ("n" * 256))
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder"}


def test_check_writable_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "new" / "file.json")
    assert list((tmp_path / "new").iterdir()) == []


def test_names_survive_json(tmp_path):
    names = [os.fsdecode(b"caf\xe9.jpg"), "line\nbreak", "\x9b2J", "café"]
    write_json(tmp_path / "names.json", names)
    assert read_json(tmp_path / "names.json") == names
    assert b"caf\\udce9.jpg" in (tmp_path / "names.json").read_bytes()


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\xfd", b"[" * 100_000, b"1" * 10_000])
def test_damaged_json_is_a_sentence(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*x\.json"):
        read_json(tmp_path / "x.json")


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert user_cache("features") is None


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EACCES, "Check its permissions"),
        (errno.EROFS, "nothing can be written to this disk"),
        (errno.EIO, "Choose another folder"),
    ],
)
def test_the_remedy_fits_what_failed(number, remedy):
    words = str(cannot_write(Path("x/report.html"), OSError(number, os.strerror(number))))
    assert words.startswith(f"cannot write x/report.html: {os.strerror(number)}. ")
    assert remedy in words
    assert ("permissions" in words) == (number == errno.EACCES)
