"""Damaged files: no crash, no hang; each one is a picture or a named error."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def decode_mutations(first, count, tmp_path, seconds):
    note = tmp_path / "in-hand"
    command = [
        sys.executable,
        "-m",
        "tests.picture.mutated_files",
        str(first),
        str(count),
        str(note),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, (done.returncode, done.stderr, note.read_bytes())
    return done.stdout


def test_ten_thousand_mutated_files(tmp_path):
    assert decode_mutations(0, 10_000, tmp_path, 600).startswith("10000 files")
