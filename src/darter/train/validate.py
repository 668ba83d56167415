"""Run a model over pictures, and score what it says."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darter.dataset import Loader
from darter.train.device import casting, place


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loader: Loader,
    device: torch.device,
    precision: str,
    channels_last: bool,
) -> NDArray[np.float32]:
    """Logits (N, classes) of all pictures in evaluation mode, in their order."""
    model.eval()
    logits = []
    for batch in loader.epoch(0):
        with casting(device, precision):
            output = model(place(batch.images, device, channels_last))
        logits.append(output.float().cpu().numpy())
    return np.concatenate(logits)


def score(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy, and mean cross-entropy in nats."""
    values = logits.astype(np.float64)
    top = values.max(axis=1)
    total = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
    own = values[np.arange(len(labels)), labels]
    return float((values.argmax(axis=1) == labels).mean()), float((total - own).mean())
