"""`make` says what is missing before it downloads anything."""

import importlib.util
import shutil
import sysconfig
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "tools" / "check_build.py"


@pytest.fixture
def check():
    spec = importlib.util.spec_from_file_location("check_build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def complete(monkeypatch, tmp_path):
    """A machine that lacks nothing: tests take one thing away each."""
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


def test_nothing_is_said_where_nothing_is_missing(check, complete):
    assert [*check.missing("python3")] == []


def test_an_old_python_is_told_alone(check, complete, monkeypatch):
    monkeypatch.setattr(check.sys, "version_info", (3, 9, 2))
    (sentence,) = check.missing("python3")
    assert sentence.startswith("darter needs Python 3.11 or newer; python3 is 3.9.")


def test_headers_and_compiler_are_named_with_what_installs_them(check, complete, monkeypatch):
    (complete / "Python.h").unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    headers, compiler = check.missing("python3")
    assert "-dev; on Fedora" in headers
    assert "apt-get install g++" in compiler


def test_a_compiler_may_be_named(check, complete, monkeypatch):
    monkeypatch.setenv("CXX", "ccache clang++-16")
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "ccache" else None)
    assert [*check.missing("python3")] == []
