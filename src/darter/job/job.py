"""The main job: a folder of pictures in, a trained classifier and its report out.

scan ─ split ─ features ─ choose ─ fit ─ challenge ─ arrange ─ export ─ quantize ─ evaluate ─ report

Each stage writes its records when it is done (docs/architecture.md lists them). A resumed run
finds them: cheap stages are done again and give the same, expensive ones go on where they were.
"""

import shlex
from dataclasses import replace
from pathlib import Path

from darter.dataset import Listing
from darter.distributed import Machines, world_of
from darter.errors import DarterError
from darter.job import judging, stages
from darter.job.arranging import arrange
from darter.job.captioning import run_captioning
from darter.job.challenge import challenge
from darter.job.cost import compare_files
from darter.job.detecting import run_detection
from darter.job.eight_bits import compare_int8, to_int8
from darter.job.ensemble import train_members
from darter.job.lateness import Effort, lateness
from darter.job.options import JobOptions
from darter.job.run import Run
from darter.job.run_folder import RunFolder, new_run_path
from darter.job.screen import Screen
from darter.job.training import train
from darter.job.worth import weigh
from darter.report import write_html
from darter.train import Interrupted, sigterm_interrupts


def run_job(
    options: JobOptions, out: Path | None, screen: Screen, *, command: str | None = None
) -> RunFolder:
    """Train on pictures with labels or boxes, and write the run folder.

    out: a new or empty folder; None takes the first free darter-runs/NAME-NUMBER.
    command: what asked for it, for the records; the command line where None.
    Raises DarterError for anything that the user can mend.
    """
    options = options.absolute()  # before pictures are listed: records name them as resuming does
    listing = stages.find(options)  # before a folder is made: most mistakes show here
    path = out or new_run_path(Path(options.data))
    folder = RunFolder.create(path, options.to_dict(), command=command)
    try:
        with world_of(options.machines) as world:
            return _run(Run(options, folder, screen, world), listing)
    except DarterError:
        begun = folder.done("features") or (folder.path / "checkpoints").exists()
        if not begun:  # nothing is in it that could be gone on with
            folder.discard()
        raise


def resume_job(path: Path, screen: Screen, machines: Machines | None = None) -> RunFolder:
    """Go on with a run that was interrupted; a finished one is only reported again.

    machines: who trains along from now on; None: as the run began.
    """
    folder = RunFolder.open(path)
    if folder.run["state"] == "done":
        screen.line("done", "this run was finished; its page is written again")
        write_html(folder.path)
        return folder
    options = JobOptions.from_dict(folder.run["options"])
    if machines is not None:
        options = replace(options, machines=machines)
    with world_of(options.machines) as world:
        return _run(Run(options, folder, screen, world), stages.find(options))


@sigterm_interrupts()
def _run(run: Run, listing: Listing) -> RunFolder:
    folder, effort = run.folder, Effort()
    folder.claim()
    try:
        WORK[listing.task](run, listing)
        folder.save(state="done")
        cores = None if run.world else effort.cores()
        late = lateness(run.options.seconds, folder.spent, folder.run["seconds"], cores)
        if late:
            run.screen.line("time", late)
        write_html(folder.path)
    except KeyboardInterrupt:
        folder.save(state="interrupted")
        raise Interrupted(
            f"stopped; go on with: darter train --resume {shlex.quote(str(folder.path))}"
        ) from None
    finally:
        folder.release()
    return folder


def _classify(run: Run, listing: Listing) -> None:
    """Train, prove and judge a classifier; the run folder then holds all but the page."""
    backbone = stages.backbone(run)  # before the pictures are read: it may be out of reach
    material = stages.material_of(run, listing)
    start = stages.describe(run, material, backbone)
    chosen = stages.decide(run, start)
    trained = challenge(run, start, train(run, start, chosen))
    trained = train_members(run, start, trained)
    trained = arrange(run, start, trained)
    judging.prove(run, start, trained)
    weigh(run, start, trained)
    to_int8(run, start)
    judging.judge(run, start, trained)
    compare_files(run, start)
    compare_int8(run, start)


WORK = {
    "classify": _classify,
    "multilabel": _classify,
    "detect": run_detection,
    "caption": run_captioning,
}
