"""A training run to be killed; it resumes by itself.

It goes through all that holds state or draws random numbers: dropout, mixup, batch-norm
statistics, averaged weights, accumulation, clipping, AdamW, balanced sampling.
"""

from pathlib import Path

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


def main(out: Path, epochs: int) -> None:
    problem = tiny_problem(train=88)
    fitted = train(
        tiny_model(),
        problem,
        RECIPE.replace(epochs=epochs),
        out=out,
        resume=True,
        checkpoint_seconds=0.05,
    )
    torch.save(fitted.model.state_dict(), out / "weights.pt")
