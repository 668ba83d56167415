"""How far a picture's features are from all training pictures': a sign of something foreign.

It reads the features that the classifier computes anyway, so that it costs nothing to run.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

MOST_KEPT = 1000  # training pictures whose features travel in the file
LEAST_LENGTH = 1e-12


def fit_novelty(
    features: NDArray[np.float32], strata: ArrayLike, *, most: int = MOST_KEPT, seed: int = 0
) -> NDArray[np.float32]:
    """Directions (M, D) that familiar pictures have: unit rows of the training features (N, D).

    strata: the kind of each picture (N,); where there are more than `most` pictures, every kind
    keeps its share.
    """
    rows = np.asarray(features, np.float32)
    if len(rows) > most:
        order = np.random.default_rng(seed).permutation(len(rows))
        by_kind = order[np.argsort(np.asarray(strata)[order], kind="stable")]
        rows = rows[by_kind[np.linspace(0, len(rows) - 1, most).astype(int)]]
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(length, LEAST_LENGTH)


class Novelty(nn.Module):
    """features (N, D) -> (N,): 1 minus the cosine to the nearest training picture, in [0, 2].

    known: unit directions (M, D), from `fit_novelty`.
    Source: Sun et al., "Out-of-distribution detection with deep nearest neighbors",
    arXiv:2204.06507, with one neighbor.
    """

    known: Tensor

    def __init__(self, known: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("known", torch.from_numpy(np.ascontiguousarray(known.T)))

    def forward(self, features: Tensor) -> Tensor:
        length = features.square().sum(dim=1, keepdim=True).clamp_min(LEAST_LENGTH**2).sqrt()
        return 1 - torch.matmul(features, self.known).amax(dim=1, keepdim=True) / length
