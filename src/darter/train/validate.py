"""Run a model over pictures, and score what it says."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darter.model import Task
from darter.train.device import casting, place
from darter.train.world import Batches


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Batches,
    device: torch.device,
    precision: str,
    channels_last: bool,
) -> NDArray[np.float32]:
    """Logits (N, classes) of all pictures in evaluation mode, in their order."""
    model.eval()
    logits = []
    for batch in batches.epoch(0):
        with casting(device, precision):
            output = model(place(batch.images, device, channels_last))
        logits.append(output.float().cpu().numpy())
    return np.concatenate(logits)


def score(task: Task, logits: NDArray[np.float32], targets: NDArray[Any]) -> tuple[float, float]:
    """Mean rightness (the accuracy, of one label per picture), and mean log loss in nats."""
    right, losses = task.rightness(logits, targets), task.losses(logits, targets)
    return float(right.mean()), float(losses.mean())
