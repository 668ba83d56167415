"""Pictures that stand in two of the user's own parts.

A test says something only of pictures that the model has not learned from. So the test stays as the
user gave it, and what is copied in it is taken out of what comes before: training does without the
copies of validation and test pictures, validation without those of test pictures. A near-duplicate
is no proof (frames of one film would empty the training), so those stay, are counted and said.
"""

from collections.abc import Iterable, Sequence

from darter.dataset.sample import Sample

_RANK = {None: 0, "train": 0, "val": 1, "test": 2}


def copies_to_leave(samples: Sequence[Sample], groups: Iterable[Sequence[int]]) -> dict[int, int]:
    """Index of each picture that is left out -> index of the copy in a later part that stays."""
    leave = {}
    for group in groups:
        last = max(group, key=lambda index: _RANK[samples[index].split])
        for index in group:
            if _RANK[samples[index].split] < _RANK[samples[last].split]:
                leave[index] = last
    return leave


def alike(samples: Sequence[Sample], groups: Iterable[Sequence[int]]) -> dict[int, int]:
    """Index of each given val or test picture -> one like it in a part that comes before."""
    found = {}
    for group in groups:
        first = min(group, key=lambda index: _RANK[samples[index].split])
        for index in group:
            if _RANK[samples[first].split] < _RANK[samples[index].split]:
                found[index] = first
    return found
