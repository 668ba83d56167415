"""Divide pictures into train, val and test, or into folds; what belongs together stays together."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from darter.dataset.audit import ENOUGH, Audit, count, is_are, some
from darter.dataset.duplicates import connected
from darter.dataset.labels import membership
from darter.errors import DataError, OptionError


@dataclass(frozen=True)
class Split:
    """Indices into `audit.pictures`, each sorted; how: a sentence for the report."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    how: str


def groups_of(audit: Audit) -> np.ndarray:
    """Group number of each picture: duplicates, near-duplicates and the user's groups joined."""
    named: dict[str, list[int]] = {}
    for index, picture in enumerate(audit.pictures):
        if picture.sample.group is not None:
            named.setdefault(picture.sample.group, []).append(index)
    links = [*audit.duplicates, *audit.near_duplicates, *named.values()]
    return connected(len(audit.pictures), links)


def split(audit: Audit, *, seed: int, val: float = 0.15, test: float = 0.15) -> Split:
    """Divide the pictures; stratified, from the seed alone.

    The user's own splits stand as they are; where there is no val (or test), it is drawn from the
    train or unassigned pictures. Duplicates, near-duplicates and groups stay on one side of what
    is drawn, and every class keeps a picture in train. 0 draws none.

    Raises DataError where a class has fewer than two pictures to train on and be measured on, or
    none to train on; OptionError unless val and test are in [0, 1) and sum to less than 1.
    """
    for name, share in (("val", val), ("test", test)):
        if not 0 <= share < 1 or val + test >= 1:
            raise OptionError(f"{name} is {share}; shares are in [0, 1) and sum to less than 1")
    given = [picture.sample.split for picture in audit.pictures]
    has = membership([p.sample for p in audit.pictures], audit.classes)
    if audit.task != "classify":  # pictures without labels get their share, too
        has = np.concatenate((has, ~has.any(axis=1, keepdims=True)), axis=1)
    check_audit(audit)
    groups = groups_of(audit)
    sides = np.array([name or "train" for name in given], dtype=object)
    pool = has[sides == "train"].sum(axis=0)
    rng = np.random.default_rng(seed)
    sentences = []
    for name, share in (("test", test), ("val", val)):
        if name in given:
            sentences.append(f"{name} as given")
        elif share > 0:
            targets = np.maximum(1, np.rint(share * pool)).astype(int)
            _draw(sides, has, groups, targets, name, rng)
            drawn = int((sides == name).sum())
            sentences.append(f"{name} drawn ({drawn} pictures, seed {seed})")
    parts = {name: tuple(np.flatnonzero(sides == name).tolist()) for name in _PARTS}
    how = f"{'; '.join(sentences)}; by class; {_together(audit)}"
    return Split(**parts, how=how.capitalize() + ".")


def _together(audit: Audit) -> str:
    """What is true of near-duplicates and groups, in half a sentence."""
    near, groups = len(audit.alike), audit.divided
    if not near and not groups:
        return "near-duplicates and groups stay on one side"
    broken = [count(near, "near-duplicate")] if near else []
    broken += [count(groups, "group")] if groups else []
    return f"in your own parts {' and '.join(broken)} {is_are(near + groups)} on two sides"


_PARTS = ("train", "val", "test")
LEAST_CLASSES = {"detect": 1, "caption": 0}  # 2 where a class has to be told from another


def check_audit(audit: Audit) -> None:
    """Raise DataError where the usable pictures are too few to train on and be measured on."""
    if len(audit.classes) < LEAST_CLASSES.get(audit.task, 2):
        kinds = Counter(finding.kind for finding in audit.left_out).most_common(5)
        files = len(audit.pictures) + len({finding.path for finding in audit.left_out})
        reasons = ", ".join(f"{number} {kind}" for kind, number in kinds) or "too few"
        least = "no class has" if audit.task == "detect" else "fewer than two classes have"
        raise DataError(
            f"{audit.root}: {least} a usable picture; of "
            f"{count(files, 'file')} are {reasons}. Run `darter audit {audit.root}` to "
            "see each file, and replace the bad ones."
        )
    lost = {label for p in audit.pictures for label in p.sample.labels} - set(audit.classes)
    if lost:
        raise DataError(
            f"{audit.root}: no usable picture to train on in {some(sorted(lost))}, while other "
            "parts have some. What cannot be learned cannot be tested: add training pictures, or "
            "leave these classes out."
        )
    if audit.lonely:
        more = f" (and {len(audit.lonely) - 1} more classes)" if len(audit.lonely) > 1 else ""
        raise DataError(
            f"{audit.root}: class {audit.lonely[0]}{more} has fewer than two usable pictures; two "
            "are needed, one to learn from and one to measure on. Add pictures or remove the class."
        )


def check_enough(audit: Audit, parts: Split) -> None:
    """Raise DataError where the training part is too small to compare anything within it."""
    different = len(np.unique(groups_of(audit)[list(parts.train)]))
    if different >= ENOUGH:
        return
    if audit.task == "caption":
        raise DataError(
            f"{audit.root}: {count(different, 'different picture')} with captions would be left to "
            f"learn from; at least {ENOUGH} are needed, better hundreds."
        )
    counts = Counter(label for p in audit.pictures for label in p.sample.labels)
    few = some([f"{label} ({counts[label]})" for label in audit.classes])
    raise DataError(
        f"{audit.root}: fewer than {ENOUGH} per class: {few}. "
        f"{count(different, 'different picture')} would be left to learn from, too few to "
        "compare ways to train. Add pictures: "
        f"{ENOUGH} different ones of each class at least, better 50."
    )


def _draw(
    sides: np.ndarray,
    has: np.ndarray,
    groups: np.ndarray,
    targets: np.ndarray,
    name: str,
    rng: np.random.Generator,
) -> None:
    """Move whole groups from train to `name` until it has targets[label] pictures of each label.

    has: (pictures, labels). Rare labels come first, so that common ones, of which many pictures are
    left, make up the rest (Sechidis et al., "On the stratification of multi-label data", 2011).
    The last group of a label stays in train; without any that fits, the smallest one is moved.
    """
    content = np.zeros((groups.max() + 1, len(targets)), np.int64)  # pictures per group and label
    pool = sides == "train"
    np.add.at(content, groups[pool], has[pool])
    inside = np.bincount(groups[pool], minlength=len(content))
    movable = inside == np.bincount(groups, minlength=len(content))  # none partly in a given split
    left = (content > 0).sum(axis=0)  # groups per label in train
    have = np.zeros(len(targets), np.int64)

    def move(group: int) -> bool:
        present = content[group] > 0
        if (left[present] < 2).any():
            return False
        movable[group] = False
        sides[groups == group] = name
        left[present] -= 1
        np.add(have, content[group], out=have)
        return True

    several = bool((has.sum(axis=1) != 1).any())
    order = np.argsort(targets, kind="stable") if several else np.arange(len(targets))
    for label in order.tolist():
        free = rng.permutation(np.flatnonzero(movable & (content[:, label] > 0)))
        for group in free.tolist():
            fits = have + content[group] <= targets
            if fits[label] and (not several or (fits | (content[group] == 0)).all()):
                move(group)
        if have[label] == 0:
            smallest_first = free[np.argsort(content[free, label], kind="stable")]
            any(move(group) for group in smallest_first.tolist())


def folds(
    labels: Sequence[Hashable] | np.ndarray,
    groups: Sequence[int] | np.ndarray,
    k: int,
    seed: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """k pairs (train indices, held-out indices), int64, sorted; stratified, groups kept whole.

    labels, groups: one per picture.   Every picture is held out once.
    Raises OptionError where k is below 2 or there are fewer than k groups.
    """
    _, label = np.unique(np.asarray(labels), return_inverse=True)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    number_of_groups = int(group.max()) + 1 if len(group) else 0
    if not 2 <= k <= number_of_groups:
        raise OptionError(
            f"folds: k is {k}; expected 2 to {number_of_groups}, the groups there are"
        )
    number_of_labels = int(label.max()) + 1
    content = np.zeros((number_of_groups, number_of_labels), np.int64)
    np.add.at(content, (group, label), 1)
    order = np.random.default_rng(seed).permutation(number_of_groups)
    order = order[np.argsort(-content[order].sum(axis=1), kind="stable")]  # large groups first
    held = np.zeros((k, number_of_labels), np.int64)
    fold_of = np.zeros(number_of_groups, np.int64)
    for number in order.tolist():
        # The fold that has least of these labels; then the smallest fold.
        load = held @ content[number]
        best = min(range(k), key=lambda f: (load[f], held[f].sum()))
        fold_of[number] = best
        held[best] += content[number]
    fold = fold_of[group]
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(k)]
