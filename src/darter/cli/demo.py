"""`darter demo`: the whole way on real handwritten digits."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and the run.")] = Path(
        "darter-demo"
    ),
    time: Annotated[str, typer.Option(help="All of it, about.")] = "4m",
) -> None:
    """Write scikit-learn's 1,797 handwritten digits as a folder, train on it, and predict."""
    from darter.job import Screen, parse_seconds, run_demo, show_outcome

    run, picture = run_demo(out, parse_seconds(time), Screen())
    show_outcome(run, Screen.of_results(), picture=picture)
