"""Labelled pictures, as the trainer takes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darter.picture import Picture


@dataclass(frozen=True)
class Examples:
    """Pictures (paths, or decoded) and their class indices, int64 of the same length."""

    pictures: Sequence[Path | str | Picture]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Of labels and file names (not folders, so that a data set may be moved)."""
        digest = hashlib.sha256(np.asarray(self.labels, np.int64).tobytes())
        for picture in self.pictures:
            if not isinstance(picture, Picture):
                digest.update(Path(picture).name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()

    def subset(self, indices: NDArray[np.int64]) -> "Examples":
        return Examples([self.pictures[i] for i in indices], self.labels[indices])
