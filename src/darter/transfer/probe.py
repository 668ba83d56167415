"""Logistic regression on frozen features: the baseline that is always trained first.

    probe = fit_probe(features, labels, classes=10)     # strength of the penalty found inside
    probe.predict(features)                             # (N,) class numbers
    model.set_head(probe.weight, probe.bias)

Source: Razavian et al., "CNN Features off-the-shelf: an Astounding Baseline", arXiv:1403.6382.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from darter.dataset import folds
from darter.errors import ShapeError
from darter.model import Classify, Task

# Strengths of the L2 penalty on standardized features, tried from strong to weak: each solution
# is the start of the next, and the strong ones converge in few steps.
STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
CLASSIFY = Classify()
IMBALANCED = 3.0  # largest class / smallest class from which rare classes weigh more
_INNER_PICTURES = 10_000  # more are not needed to find the strength
_FEW = 2_000  # below, every picture is held out once to find it; above, a third of them


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
    targets: NDArray,
    classes: int,
    *,
    task: Task = CLASSIFY,
    mirrored: NDArray | None = None,
    groups: NDArray | None = None,
    l2: float | None = None,
    seed: int = 0,
) -> Probe:
    """Fit a probe; `l2` None finds the strength on held-out parts of these very pictures.

    features: float (N, D). targets: as the task has them, e.g. class numbers (N,); a class may be
    absent: multinomial for one label, one regression per class for several.
    mirrored: features of the mirror images, to learn from as well. groups: pictures of one number
    are held out together. Where one class has 3 times the pictures of another, each class weighs
    the same.
    Raises ShapeError where features and targets are not equally many.
    """
    if features.ndim != 2 or targets.shape[:1] != features.shape[:1]:
        raise ShapeError(
            f"fit_probe: features {features.shape} and targets {targets.shape}; "
            "expected (N, D) and N targets"
        )
    if l2 is None:
        l2 = find_strength(
            features, targets, classes, task=task, mirrored=mirrored, groups=groups, seed=seed
        )
    problem = _Problem(task, features, targets, classes, mirrored)
    return problem.probe(problem.solve(l2), l2)


def find_strength(
    features: NDArray,
    targets: NDArray,
    classes: int,
    *,
    task: Task = CLASSIFY,
    mirrored: NDArray | None = None,
    groups: NDArray | None = None,
    seed: int = 0,
) -> float:
    """The strongest penalty whose held-out loss is within one standard error of the least.

    features: (N, D), and the other arguments as for `fit_probe`.
    Held out in 3 folds for few pictures, in one part for many. The least loss itself would favor
    weak penalties: they make confident probes, which is not what is wanted.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(targets))[:_INNER_PICTURES])
    kinds = task.strata(targets)[chosen]
    parts = folds_for(kinds, None if groups is None else groups[chosen], 3, seed)
    found = []
    for train, held in parts if len(chosen) < _FEW else parts[:1]:
        train, held = chosen[train], chosen[held]
        extra = None if mirrored is None else mirrored[train]
        problem = _Problem(task, features[train], targets[train], classes, extra)
        found.append(problem.path_losses(features[held], targets[held]))
    losses = np.concatenate(found, axis=1)
    best = int(losses.mean(axis=1).argmin())
    for strength, row in zip(STRENGTHS[:best], losses, strict=False):
        excess = row - losses[best]
        if excess.mean() <= excess.std() / np.sqrt(len(excess)):
            return strength
    return STRENGTHS[best]


def cross_validated(
    task: Task,
    rows: NDArray[np.float32],
    targets: NDArray[Any],
    groups: NDArray[np.int64],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """How right a probe is for each picture when that is held out, (N,), in 3 folds; the penalty
    is the first fold's."""
    right = np.zeros(len(targets))
    l2 = None
    for train, held in folds_for(task.strata(targets), groups, 3, seed):
        probe = fit_probe(
            rows[train], targets[train], classes, task=task, groups=groups[train], l2=l2, seed=seed
        )
        l2 = probe.l2
        right[held] = task.rightness(probe.logits(rows[held]), targets[held])
    return right


def folds_for(
    labels: NDArray, groups: NDArray | None, most: int, seed: int
) -> list[tuple[NDArray, NDArray]]:
    """Up to `most` folds; fewer where a class has fewer groups, but at least 2."""
    if groups is None or len(np.unique(groups)) < 2:
        groups = np.arange(len(labels))
    smallest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    k = min(max(2, min(most, smallest)), len(np.unique(groups)))
    return folds(labels, groups, k, seed)


class _Problem:
    """One regression: standardized features and class weights, solved for any strength."""

    def __init__(
        self,
        task: Task,
        features: NDArray,
        targets: NDArray,
        classes: int,
        mirrored: NDArray | None = None,
    ) -> None:
        if mirrored is not None:
            features, targets = np.concatenate([features, mirrored]), np.concatenate([targets] * 2)
        self.task = task
        self.mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
        constant = deviation <= 1e-6 * max(deviation.max(initial=0), 1e-30)
        self.scale = np.where(constant, np.float32(np.inf), deviation)
        x = ((np.asarray(features, np.float32) - self.mean) / self.scale).astype(np.float32)
        self.basis, self.variance = _principal_axes(x)
        self.x = x @ self.basis
        self.dense = task.dense(targets, classes)
        self.row_weight = _row_weights(self.dense)
        self.classes = classes

    def rotate(self, features: NDArray) -> NDArray[np.float32]:
        x = ((np.asarray(features, np.float32) - self.mean) / self.scale).astype(np.float32)
        return x @ self.basis

    def solve(self, l2: float, start: NDArray | None = None) -> NDArray[np.float32]:
        """Weights along the axes and, in the last row, biases: (axes + 1, classes).

        L-BFGS, where every axis is scaled by the curvature that it has while the classes are
        undecided; so a few dozen steps do.
        """
        from scipy.optimize import minimize

        shape = (self.x.shape[1] + 1, self.classes)
        weight = (self.row_weight / self.row_weight.sum())[:, None]
        undecided = self.task.curvature(self.classes)
        curvature = np.append(undecided * self.variance + l2, undecided)
        scale = (1 / np.sqrt(curvature)).astype(np.float32)[:, None]

        def objective(flat: NDArray) -> tuple[float, NDArray]:
            theta = scale * flat.reshape(shape).astype(np.float32)
            logits = self.x @ theta[:-1] + theta[-1]
            losses, slope = self.task.loss_and_slope(logits, self.dense)
            residual = weight * slope
            gradient = np.vstack([self.x.T @ residual + l2 * theta[:-1], residual.sum(axis=0)])
            penalty = 0.5 * l2 * float(np.square(theta[:-1]).sum(dtype=np.float64))
            fit = float((weight[:, 0] * losses).sum(dtype=np.float64))
            return fit + penalty, (scale * gradient).ravel().astype(np.float64)

        x0 = np.zeros(shape) if start is None else start / scale
        options = {"maxiter": 200, "gtol": 1e-5, "ftol": 1e-7}
        found = minimize(objective, x0.ravel(), jac=True, method="L-BFGS-B", options=options)
        return scale * found.x.reshape(shape).astype(np.float32)

    def path_losses(self, features: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Held-out loss, (strengths, N); once the mean rose twice, weaker ones are not tried."""
        x = self.rotate(features)
        dense = self.task.dense(targets, self.classes)
        weight = _row_weights(dense)
        losses = np.full((len(STRENGTHS), len(targets)), np.inf)
        theta, least, rises = None, np.inf, 0
        for i, l2 in enumerate(STRENGTHS):
            theta = self.solve(l2, theta)
            losses[i] = weight * self.task.loss_and_slope(x @ theta[:-1] + theta[-1], dense)[0]
            mean = losses[i].mean()
            rises = rises + 1 if mean > least else 0
            least = min(least, mean)
            if rises == 2:
                break
        return losses

    def probe(self, theta: NDArray[np.float32], l2: float) -> Probe:
        weight = ((self.basis @ theta[:-1]) / self.scale[:, None]).T.astype(np.float32)
        bias = (theta[-1] - weight @ self.mean).astype(np.float32)
        return Probe(np.ascontiguousarray(weight), bias, l2)


def _principal_axes(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Orthonormal axes (D, axes) that span the rows of x, and the variance along each.

    With an L2 penalty the solution lies in the span of the rows, so nothing is lost.
    """
    wide = x.shape[0] < x.shape[1]
    product = x @ x.T if wide else x.T @ x
    values, vectors = (t.numpy() for t in torch.linalg.eigh(torch.from_numpy(product)))
    used = values > 1e-6 * max(values[-1], 1e-30)
    values, vectors = values[used], vectors[:, used]
    axes = x.T @ vectors / np.sqrt(values) if wide else vectors
    return np.ascontiguousarray(axes, np.float32), (values / len(x)).astype(np.float32)


def _row_weights(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,): 1 for every picture, or inverse to the size of its class where classes are unequal.

    Pictures with several labels, or none, all weigh the same.
    """
    counts = dense.sum(axis=0)
    present = counts[counts > 0]
    single = bool((dense.sum(axis=1) == 1).all())
    if not single or present.max() < IMBALANCED * present.min():
        return np.ones(len(dense), np.float32)
    per_class = len(dense) / (len(present) * np.maximum(counts, 1))
    return per_class.astype(np.float32)[dense.argmax(axis=1)]
