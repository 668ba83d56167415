"""`darter report RUN`: write the page again from the records of a run."""

from pathlib import Path
from typing import Annotated

import typer

from darter.names import visible


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
) -> None:
    """Write RUN/report.html again from the records in RUN."""
    from darter.report import write_html

    print(visible(write_html(run)))
