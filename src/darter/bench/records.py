"""Measurements kept as JSON lines, each with the machine that it was taken on."""

import json
import sys
from pathlib import Path
from typing import Any

from darter.files import cannot_write
from darter.kernels import Peak
from darter.machine import cpu_model


def check_appendable(file: Path) -> None:
    """Raise DataError where lines cannot be added to the file; makes its folder, leaves no file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = not file.exists()
        file.open("a").close()
        if new:
            file.unlink()
    except OSError as error:
        raise cannot_write(file, error) from error


def append_records(file: Path, peak: Peak, rows: list[dict[str, Any]]) -> None:
    """Add one JSON line per row: CPU, instruction set, threads, versions, and the row's own.

    Raises DataError where the file cannot be written.
    """
    import darter

    limits = {"peak_gflops": peak.gflops, "read_gigabytes": peak.gigabytes}
    machine = {"cpu": cpu_model(), "isa": peak.isa, "threads": peak.threads, **limits}
    machine["darter"] = darter.__version__
    if "torch" in sys.modules:
        machine["torch"] = sys.modules["torch"].__version__
    lines = [json.dumps({**machine, **row}) + "\n" for row in rows]
    check_appendable(file)
    try:
        with file.open("a") as opened:
            opened.writelines(lines)
    except OSError as error:
        raise cannot_write(file, error) from error
