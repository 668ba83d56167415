"""A training run to be killed; it resumes by itself.

It goes through all that holds state or draws random numbers: dropout, mixup, batch-norm
statistics, averaged weights, accumulation, clipping, AdamW, balanced sampling.
"""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

RECIPE = QUICK.replace(
    dropout=0.3,
    norm_statistics="updated",
    mixup=0.2,
    ema=0.9,
    accumulate=2,
    patience=50,
    class_balance="sampling",
)


@dataclass
class Killer:
    """Watches a run and ends it with SIGKILL, `delay` seconds after it reaches `at_step`."""

    at_step: int
    delay: float
    armed: bool = True

    def planned(self, plan: Any, step: int) -> None: ...

    def step(self, step: int, *figures: float) -> None:
        if self.armed and step >= self.at_step:
            self.armed = False
            threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def epoch(self, record: dict[str, Any]) -> None: ...


def main(out: Path, epochs: int, killer: Killer | None = None) -> None:
    problem = tiny_problem(train=88)
    fitted = train(
        tiny_model(),
        problem,
        RECIPE.replace(epochs=epochs),
        out=out,
        resume=True,
        progress=killer,
        checkpoint_seconds=0.05,
    )
    torch.save(fitted.model.state_dict(), out / "weights.pt")
