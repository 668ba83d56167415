"""A training run to be killed: python -m tests.train.run_tiny RUN EPOCHS. Resumes by itself.

It goes through all that holds state: dropout, mixup, batch-norm statistics, averaged weights,
accumulation, clipping, AdamW, a last epoch cut short of nothing.
"""

import sys
from pathlib import Path

import torch

from darter.train import fit
from tests.train.tiny import ALL, QUICK, tiny_model, tiny_problem

RECIPE = QUICK.replace(
    dropout=0.3,
    norm_statistics="updated",
    mixup=0.2,
    ema=0.9,
    accumulate=2,
    patience=50,
    class_balance="sampling",
)


def main(out: Path, epochs: int) -> None:
    problem = tiny_problem(train=88)
    fitted = fit(
        tiny_model(),
        ALL,
        RECIPE.replace(epochs=epochs),
        problem.train,
        problem.val,
        out,
        augment=problem.augment,
        preprocess=problem.preprocess,
        resume=True,
        checkpoint_seconds=0.0,
    )
    torch.save(fitted.model.state_dict(), out / "weights.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
