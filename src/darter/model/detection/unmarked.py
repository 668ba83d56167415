"""Things that a detector is sure of and that no annotation marks: boxes that somebody forgot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import overlaps

APART = 0.3  # overlap with a true box of any class below which a found one is of another thing


def with_unmarked(entries: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The records of pictures; each found thing tells whether it looks `unmarked`.

    It lies apart from all that is marked, and the detector is as sure of it as of at least half of
    the things of its class that it found rightly. Source: Tkachenko et al., arXiv:2309.00832 (the
    overlooked boxes of ObjectLab).
    """
    right: dict[str, list[float]] = {}
    for entry in entries:
        for found in entry["found"]:
            if not found["false"]:
                right.setdefault(found["label"], []).append(found["score"])
    sure = {label: float(np.median(scores)) for label, scores in right.items()}
    return tuple(
        entry | {"found": [
            found | {"unmarked": found["false"]
                     and found["score"] >= sure.get(found["label"], np.inf)
                     and _apart(found["box"], entry["true"])}
            for found in entry["found"]
        ]}
        for entry in entries
    )  # fmt: skip


def _apart(box: Sequence[float], true: Sequence[dict[str, Any]]) -> bool:
    corners = np.array([each["box"] for each in true]).reshape(-1, 4)
    return bool((overlaps(np.array([box]), corners) < APART).all())


def unmarked_counts(entries: Sequence[dict[str, Any]], classes: Sequence[str]) -> NDArray[np.int64]:
    """(pictures, classes) things that look unmarked."""
    counts = np.zeros((len(entries), len(classes)), np.int64)
    for row, entry in zip(counts, entries, strict=True):
        for found in entry["found"]:
            row[classes.index(found["label"])] += found["unmarked"]
    return counts
