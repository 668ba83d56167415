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

from darter.dataset import folds
from darter.errors import ShapeError

# Strengths of the L2 penalty on standardized features, tried from strong to weak: each solution
# is the start of the next, and the strong ones converge in few steps.
STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
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
    labels: NDArray,
    classes: int,
    *,
    mirrored: NDArray | None = None,
    groups: NDArray | None = None,
    l2: float | None = None,
    seed: int = 0,
) -> Probe:
    """Fit a probe; `l2` None finds the strength on held-out parts of these very pictures.

    features: float (N, D). labels: integers (N,) in 0 … classes - 1; a class may be absent.
    mirrored: features of the mirror images, to learn from as well. groups: pictures of one number
    are held out together. Where one class has 3 times the pictures of another, each class weighs
    the same.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ShapeError(
            f"fit_probe: features {features.shape} and labels {labels.shape}; "
            "expected (N, D) and (N,)"
        )
    if l2 is None:
        l2 = find_strength(features, labels, classes, mirrored=mirrored, groups=groups, seed=seed)
    problem = _Problem(features, labels, classes, mirrored)
    return problem.probe(problem.solve(l2), l2)


def find_strength(
    features: NDArray,
    labels: NDArray,
    classes: int,
    *,
    mirrored: NDArray | None = None,
    groups: NDArray | None = None,
    seed: int = 0,
) -> float:
    """The strongest penalty whose held-out loss is within one standard error of the least.

    Held out in 3 folds for few pictures, in one part for many. The least loss itself would favor
    weak penalties: they make confident probes, which is not what is wanted.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(labels))[:_INNER_PICTURES])
    parts = folds_for(labels[chosen], None if groups is None else groups[chosen], 3, seed)
    found = []
    for train, held in parts if len(chosen) < _FEW else parts[:1]:
        train, held = chosen[train], chosen[held]
        extra = None if mirrored is None else mirrored[train]
        problem = _Problem(features[train], labels[train], classes, extra)
        found.append(problem.path_losses(features[held], labels[held]))
    losses = np.concatenate(found, axis=1)
    best = int(losses.mean(axis=1).argmin())
    for strength, row in zip(STRENGTHS[:best], losses, strict=False):
        excess = row - losses[best]
        if excess.mean() <= excess.std() / np.sqrt(len(excess)):
            return strength
    return STRENGTHS[best]


def folds_for(
    labels: NDArray, groups: NDArray | None, most: int, seed: int
) -> list[tuple[NDArray, NDArray]]:
    """Up to `most` folds; fewer where a class has fewer groups, but at least 2."""
    if groups is None or len(np.unique(groups)) < 2:
        groups = np.arange(len(labels))
    smallest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    k = min(max(2, min(most, smallest)), len(np.unique(groups)))
    return folds(labels, groups, k, seed)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of probabilities, row by row: (N, classes) -> (N, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class _Problem:
    """One regression: standardized features and class weights, solved for any strength."""

    def __init__(
        self, features: NDArray, labels: NDArray, classes: int, mirrored: NDArray | None = None
    ) -> None:
        if mirrored is not None:
            features, labels = np.concatenate([features, mirrored]), np.tile(labels, 2)
        self.mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
        constant = deviation <= 1e-6 * max(deviation.max(initial=0), 1e-30)
        self.scale = np.where(constant, np.float32(np.inf), deviation)
        x = ((np.asarray(features, np.float32) - self.mean) / self.scale).astype(np.float32)
        self.basis, self.variance = _principal_axes(x)
        self.x = x @ self.basis
        self.target = np.eye(classes, dtype=np.float32)[labels]
        self.row_weight = _class_weights(labels, classes)[labels]
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
        undecided = (self.classes - 1) / self.classes**2
        curvature = np.append(undecided * self.variance + l2, max(undecided, 1e-3))
        scale = (1 / np.sqrt(curvature)).astype(np.float32)[:, None]

        def objective(flat: NDArray) -> tuple[float, NDArray]:
            theta = scale * flat.reshape(shape).astype(np.float32)
            log_p = log_softmax(self.x @ theta[:-1] + theta[-1])
            residual = weight * (np.exp(log_p) - self.target)
            gradient = np.vstack([self.x.T @ residual + l2 * theta[:-1], residual.sum(axis=0)])
            penalty = 0.5 * l2 * float(np.square(theta[:-1]).sum(dtype=np.float64))
            fit = -float((weight * self.target * log_p).sum(dtype=np.float64))
            return fit + penalty, (scale * gradient).ravel().astype(np.float64)

        x0 = np.zeros(shape) if start is None else start / scale
        options = {"maxiter": 200, "gtol": 1e-5, "ftol": 1e-7}
        found = minimize(objective, x0.ravel(), jac=True, method="L-BFGS-B", options=options)
        return scale * found.x.reshape(shape).astype(np.float32)

    def path_losses(self, features: NDArray, labels: NDArray) -> NDArray[np.float64]:
        """Held-out loss, (strengths, N); once the mean rose twice, weaker ones are not tried."""
        x = self.rotate(features)
        target = np.eye(self.classes, dtype=np.float32)[labels]
        weight = _class_weights(labels, self.classes)[labels][:, None]
        losses = np.full((len(STRENGTHS), len(labels)), np.inf)
        theta, least, rises = None, np.inf, 0
        for i, l2 in enumerate(STRENGTHS):
            theta = self.solve(l2, theta)
            log_p = log_softmax(x @ theta[:-1] + theta[-1])
            losses[i] = -(weight * target * log_p).sum(axis=1)
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


def _class_weights(labels: NDArray, classes: int) -> NDArray[np.float32]:
    """1 for every class, or inverse to its number of pictures where classes are unequal."""
    counts = np.bincount(labels, minlength=classes)
    present = counts[counts > 0]
    if present.max() < IMBALANCED * present.min():
        return np.ones(classes, np.float32)
    return (len(labels) / (len(present) * np.maximum(counts, 1))).astype(np.float32)
