"""The main job: a folder of pictures in, a trained classifier and its report out.

scan ─ split ─ features ─ choose ─ fit ─ export ─ evaluate ─ explain ─ report

Each stage writes its records when it is done (docs/architecture.md lists them). A resumed run
finds them: cheap stages are done again and give the same, expensive ones go on where they were.
"""

from pathlib import Path

from darter.data import Listing
from darter.job import judging, stages
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder, new_run_path
from darter.job.screen import Screen
from darter.report import write_html
from darter.train.stop import Interrupted


def run_job(options: JobOptions, out: Path | None, screen: Screen) -> RunFolder:
    """Train a classifier on labelled pictures, and write its run folder.

    out: a new or empty folder; None takes the first free darter-runs/NAME-NUMBER.
    Raises DarterError for anything that the user can mend.
    """
    listing = stages.find(options)  # before a folder is made: most mistakes show here
    folder = RunFolder.create(out or new_run_path(Path(options.data)), options.to_dict())
    return _run(folder, options, listing, screen)


def resume_job(path: Path, screen: Screen) -> RunFolder:
    """Go on with a run that was interrupted; a finished one is only reported again."""
    folder = RunFolder.open(path)
    options = JobOptions.from_dict(folder.run["options"])
    return _run(folder, options, stages.find(options), screen)


def _run(folder: RunFolder, options: JobOptions, listing: Listing, screen: Screen) -> RunFolder:
    folder.claim()
    try:
        material = stages.look(folder, options, listing, screen)
        start = stages.describe(folder, options, material, screen)
        choice = stages.decide(folder, options, material, start, screen)
        fitted = stages.train(folder, options, material, start, choice, screen)
        judging.prove(folder, material, start, fitted, screen)
        judging.judge(folder, options, material, start, choice, fitted, screen)
        folder.save(state="done")
        page = write_html(folder.path)
    except KeyboardInterrupt:
        folder.save(state="interrupted")
        raise Interrupted(f"stopped; go on with: darter train --resume {folder.path}") from None
    finally:
        folder.release()
    screen.line("report", f"{page}")
    return folder
