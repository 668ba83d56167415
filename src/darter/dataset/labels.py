"""Several labels in one cell of a list, and which of many pictures has which label."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.dataset.sample import Sample

COLUMN = "labels"  # the header of a list with several labels per picture; "label" means one
BETWEEN = re.compile(r"[|;,]")


def split_labels(cell: str) -> tuple[str, ...]:
    """ "cat | dog" -> ("cat", "dog"): sorted, each once; an empty cell has none."""
    return tuple(sorted({name.strip() for name in BETWEEN.split(cell)} - {""}))


def membership(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.bool_]:
    """(pictures, classes): which picture has which label. Labels that are no class are left out."""
    number = {label: k for k, label in enumerate(classes)}
    table = np.zeros((len(samples), len(classes)), bool)
    for row, sample in zip(table, samples, strict=True):
        row[[number[label] for label in sample.labels if label in number]] = True
    return table
