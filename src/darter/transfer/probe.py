"""Multinomial logistic regression on frozen features: the baseline that is always trained first.

    probe = fit_probe(features, labels, classes=10)     # strength of the penalty found inside
    probe.predict(features)                             # (N,) class numbers
    model.set_head(probe.weight, probe.bias)

Source: Razavian et al., "CNN Features off-the-shelf: an Astounding Baseline", arXiv:1403.6382.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from darter.errors import ShapeError

# Strengths of the L2 penalty on standardized features, tried from strong to weak: each solution
# is the start of the next, and the strong ones converge in few steps.
STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
IMBALANCED = 3.0  # largest class / smallest class from which rare classes weigh more
_INNER_PICTURES = 10_000  # more are not needed to find the strength


@dataclass(frozen=True)
class Probe:
    """A linear classifier in the features' own units (standardization is folded in).

    weight: float32 (classes, D). bias: float32 (classes,). l2: the strength that was chosen.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    l2: float

    def logits(self, features: NDArray) -> NDArray[np.float32]:
        """features: (N, D) -> (N, classes)."""
        return features @ self.weight.T + self.bias

    def predict(self, features: NDArray) -> NDArray[np.int64]:
        return self.logits(features).argmax(axis=1)


def fit_probe(
    features: NDArray,
    labels: NDArray,
    classes: int,
    *,
    l2: float | None = None,
    seed: int = 0,
) -> Probe:
    """Fit a probe; `l2` None finds the strength on held-out parts of these very pictures.

    features: float (N, D). labels: integers (N,) in 0 … classes - 1; a class may be absent.
    Where one class has 3 times the pictures of another, each class weighs the same.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ShapeError(
            f"fit_probe: features {features.shape} and labels {labels.shape}; "
            "expected (N, D) and (N,)"
        )
    if l2 is None:
        l2 = find_strength(features, labels, classes, seed=seed)
    problem = _Problem(features, labels, classes)
    return problem.probe(problem.solve(l2), l2)


def find_strength(features: NDArray, labels: NDArray, classes: int, *, seed: int = 0) -> float:
    """The penalty with the least held-out loss: 5 folds for few pictures, one part for many."""
    order = np.random.default_rng(seed).permutation(len(labels))[:_INNER_PICTURES]
    parts = 5 if len(order) < 2000 else 1
    position = _positions_in_class(labels[order])
    losses = np.zeros(len(STRENGTHS))
    for part in range(parts):
        held = position % 5 == part
        if held.all() or not held.any():
            continue
        problem = _Problem(features[order[~held]], labels[order[~held]], classes)
        losses += problem.path_losses(features[order[held]], labels[order[held]])
    return STRENGTHS[int(losses.argmin())]


class _Problem:
    """One regression: standardized features and class weights, solved for any strength."""

    def __init__(self, features: NDArray, labels: NDArray, classes: int) -> None:
        x = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
        self.mean = x.mean(dim=0)
        deviation = (x - self.mean).square().mean(dim=0).sqrt()
        self.scale = torch.where(deviation > 1e-6 * deviation.max(), deviation, torch.inf)
        self.x = (x - self.mean) / self.scale
        self.y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        self.class_weight = _class_weights(self.y, classes)
        self.classes = classes

    def solve(self, l2: float, start: Tensor | None = None) -> Tensor:
        """Weights and biases as one matrix (D + 1, classes), by L-BFGS."""
        if start is None:
            start = torch.zeros(self.x.shape[1] + 1, self.classes)
        theta = start.clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS(
            [theta],
            max_iter=200,
            history_size=10,
            tolerance_grad=1e-4,
            tolerance_change=1e-7,
            line_search_fn="strong_wolfe",
        )

        def objective() -> Tensor:
            optimizer.zero_grad()
            logits = self.x @ theta[:-1] + theta[-1]
            fit = F.cross_entropy(logits, self.y, weight=self.class_weight)
            loss = fit + 0.5 * l2 * theta[:-1].square().sum()
            loss.backward()
            return loss

        optimizer.step(objective)
        return theta.detach()

    def path_losses(self, features: NDArray, labels: NDArray) -> NDArray[np.float64]:
        """Summed held-out loss per strength; once it has risen twice, weaker ones are not tried."""
        x = (torch.from_numpy(np.asarray(features, dtype=np.float32)) - self.mean) / self.scale
        y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        losses = np.full(len(STRENGTHS), np.inf)
        theta, best, rises = None, np.inf, 0
        for i, l2 in enumerate(STRENGTHS):
            theta = self.solve(l2, theta)
            logits = x @ theta[:-1] + theta[-1]
            losses[i] = F.cross_entropy(logits, y, weight=self.class_weight, reduction="sum").item()
            rises = rises + 1 if losses[i] > best else 0
            best = min(best, losses[i])
            if rises == 2:
                break
        return losses

    def probe(self, theta: Tensor, l2: float) -> Probe:
        weight = (theta[:-1] / self.scale[:, None]).T.contiguous()
        bias = theta[-1] - weight @ self.mean
        return Probe(weight.numpy(), bias.numpy(), l2)


def _class_weights(labels: Tensor, classes: int) -> Tensor | None:
    counts = torch.bincount(labels, minlength=classes).float()
    present = counts[counts > 0]
    if len(present) < 2 or present.max() < IMBALANCED * present.min():
        return None
    weights = torch.zeros(classes)
    weights[counts > 0] = len(labels) / (len(present) * present)
    return weights


def _positions_in_class(labels: NDArray) -> NDArray[np.int64]:
    """0, 1, 2, … within each class: modulo k it deals every class out evenly."""
    positions = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        positions[members] = np.arange(len(members))
    return positions
