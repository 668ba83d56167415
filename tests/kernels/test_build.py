"""The binary runs on any x86-64: code for one instruction set stays in its own functions."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILT = Path(__file__).parents[2].glob("build/*/CMakeFiles/_core.dir/**/a*.cpp.o")
OBJECTS = sorted(file for file in BUILT if file.name.startswith(("avx", "amx")))


@pytest.mark.skipif(not OBJECTS or not shutil.which("nm"), reason="needs a build tree and nm")
@pytest.mark.parametrize("file", OBJECTS, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_no_shared_function_is_compiled_for_one_instruction_set(file):
    """The linker keeps one copy of an inline function: it must not be one with AVX in it."""
    listed = subprocess.run(["nm", "-C", file], capture_output=True, text=True, check=True).stdout
    shared = [line for line in listed.splitlines() if line[17:18] in ("W", "V", "u")]
    assert not [line for line in shared if not re.search("darter::(avx|amx)", line)]
