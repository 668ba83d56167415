"""Training that does not fit one process fits two."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "pipeline_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mapped memory on Linux")
def test_two_processes_train_what_one_has_no_memory_for():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].endswith("1.5 times less")
    assert "training needs more memory than this process may take" in lines[2]
    assert lines[-1].startswith("losses differ by ")
