"""The race between strategies on one core, and its trainings side by side on several.

    python bench/race.py photos/ --workers 2 --seconds 120

Prints the seconds of the race and its winner, first by one process that is held to one core, then
by so many workers with one core each. The budget counts the seconds of all trainings, so that both
judge alike. Ray's own start is not part of the race and is printed beside it: a job starts it at
once, for all that follows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def race(data: str, seconds: float, workers: int) -> dict[str, Any]:
    """Run the stages up to the choice in this process."""
    from darter.distributed import Machines, world_of
    from darter.job import JobOptions, Screen, stages
    from darter.job.run import Run
    from darter.job.run_folder import RunFolder
    from darter.train import Recipe

    machines = Machines(workers if workers > 1 else None)
    options = JobOptions(data, None, seconds, Recipe(threads=1, size=64), machines)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, world_of(machines):
        start_seconds = time.monotonic() - began
        run = Run(options, RunFolder.create(Path(folder) / "run", {}), Screen(quiet=True))
        material = stages.material_of(run, stages.find(options))
        start = stages.describe(run, material, stages.backbone(run))
        started = time.monotonic()
        chosen = stages.decide(run, start)
        spent = time.monotonic() - started
        measured = run.folder.read("journal")["entries"]
    kinds: dict[str, float] = {}  # seconds by what was measured; of trainings, of all workers
    for key, entry in measured.items():
        kind = next((k for k in ("trial", "step: warm-up", "step") if key.startswith(k)), "probes")
        kinds[kind] = kinds.get(kind, 0.0) + entry["seconds"]
    return {
        "workers": workers,
        "seconds": spent,
        "start": start_seconds,
        "winner": chosen.strategy.name,
        "rate": chosen.learning_rate,
        "trainings": sum(key.startswith("trial") for key in measured),
        "kinds": {kind: round(seconds, 1) for kind, seconds in kinds.items()},
        "why": chosen.why,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="folder of labelled pictures")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=200, help="of a whole job; 35%% race")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        if given.only == 1:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(race(given.data, given.seconds, given.only)))
        return
    found = []
    for workers in (1, given.workers):
        command = [sys.executable, __file__, *sys.argv[1:], "--only", str(workers)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(
            "{workers} worker(s): {seconds:.1f} s (and {start:.1f} s to start Ray), {trainings} "
            "trainings, {kinds}; {winner} at rate {rate:g}: {why}".format(**found[-1]),
            flush=True,
        )
    one, several = found
    print(f"{several['seconds'] / one['seconds']:.2f} of the time")


if __name__ == "__main__":
    main()
