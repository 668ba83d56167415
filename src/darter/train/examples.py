"""Labelled pictures, as the trainer takes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model import Classify, Task
from darter.picture import Picture

CLASSIFY = Classify()


@dataclass(frozen=True)
class Examples:
    """Pictures (paths, or decoded) and what is to be learned of each, as the task has it.

    targets: one row or number per picture, e.g. class numbers, int64 (N,).
    """

    pictures: Sequence[Path | str | Picture]
    targets: NDArray[Any]
    task: Task = CLASSIFY

    def __len__(self) -> int:
        return len(self.targets)

    def digest(self) -> str:
        """Of targets and file names (not folders, so that a data set may be moved)."""
        digest = hashlib.sha256(np.ascontiguousarray(self.targets).tobytes())
        for picture in self.pictures:
            if not isinstance(picture, Picture):
                digest.update(Path(picture).name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()

    def subset(self, indices: NDArray[np.int64]) -> "Examples":
        return Examples([self.pictures[i] for i in indices], self.targets[indices], self.task)
