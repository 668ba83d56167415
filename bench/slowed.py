"""What one slow worker costs: pictures per second of sync and async, with one slowed 5 times.

    python -m bench.slowed --workers 8

A step's computing is stood in for by waiting (a layer that sleeps), so that workers do not share
cores, as if each had a machine of its own; the links are loopback's. Prints a row for each scheme.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from darter.distributed import Team
from tests.distributed.processes import Processes
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

PICTURES, BATCH, EPOCHS = 640, 16, 3
SECONDS = 0.3  # of a worker for a batch


class Slow(nn.Module):
    """Takes `SECONDS` for a batch, `times` as long in the process that first makes `place`.

    chief: a process that is never slowed, since it only watches in "async".
    """

    def __init__(self, times: float, place: Path) -> None:
        super().__init__()
        self.times, self.place, self.chief = times, place, os.getpid()
        self.factor = 0.0  # not known yet

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            time.sleep(SECONDS * self._own_factor() * len(x) / BATCH)
        return x

    def _own_factor(self) -> float:
        if not self.factor:
            self.factor = 1.0
            if os.getpid() != self.chief:
                with suppress(FileExistsError):
                    self.place.touch(exist_ok=False)
                    self.factor = self.times
        return self.factor


def speed(scheme: str, workers: int, times: float) -> float:
    """Pictures per second of the epochs after the first."""
    # The chief of "async" computes nothing, so that it has one process more.
    team = Team(Processes(workers - (scheme != "async")), scheme)
    recipe = QUICK.replace(epochs=EPOCHS, batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model()
        model.backbone.net.stem.append(Slow(times, Path(folder) / "taken"))
        fitted = train(model, tiny_problem(train=PICTURES, val=12), recipe, world=team)
    speeds = [epoch["pictures_per_second"] for epoch in fitted.history[2:]]
    return len(speeds) / sum(1 / each for each in speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--times", type=float, default=5, help="how much slower one of them is")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for scheme in ("sync", "async"):
        even = speed(scheme, given.workers, 1)
        uneven = speed(scheme, given.workers, given.times)
        row: dict[str, Any] = {"scheme": scheme, "even": even, "one_slowed": uneven}
        lost = 1 - uneven / even
        print(f"{scheme:6} {even:6.1f} pictures/s; one of {given.workers} slowed {given.times:g} "
              f"times: {uneven:6.1f}, {lost:.0%} lost", flush=True)  # fmt: skip
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
