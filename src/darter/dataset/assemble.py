"""From what was read of each picture to the audit of all: conflicts, leaks, copies, notes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darter.dataset.audit import ENOUGH, Audit, Conflict, Finding, Scanned, relative_name, some
from darter.dataset.duplicates import (
    connected,
    near_duplicate_groups,
    perceptual_hashes,
    same_digest,
)
from darter.dataset.leaks import alike, copies_to_leave
from darter.dataset.reading import Read
from darter.dataset.samples import Listing
from darter.picture import KINDS

FREE = ("detect", "caption")  # tasks of which two people say different things that are both right


def assemble(listing: Listing, reads: list[Read]) -> Audit:
    findings = [(read.sample.path, kind, detail) for read in reads for kind, detail in read.notes]
    usable = [read for read in reads if read.digest]
    conflicts, contradicted = _conflicts(listing, usable)
    findings += contradicted
    refused = {path for path, _, _ in contradicted}
    usable = [read for read in usable if read.sample.path not in refused]
    usable, leaked = _without_leaks(listing, usable)
    findings += leaked
    learned = (r.sample for r in usable if r.sample.split in (None, "train"))
    classes = tuple(sorted({label for sample in learned for label in sample.labels}))
    thumbnails = np.array([read.thumbnail for read in usable])
    hashes = perceptual_hashes(thumbnails) if usable else ()
    pictures = tuple(
        Scanned(
            r.sample,
            *r.size,
            r.format,
            r.digest,
            int(phash),
            r.grey,
            r.pixels,
            r.stamp,
            r.value_range,
        )
        for r, phash in zip(usable, hashes, strict=True)
    )
    equal = same_digest([read.digest for read in usable])
    near = _near_duplicates(pictures, equal, thumbnails) if usable else []
    findings += _similar(listing, pictures, near)
    notes = list(listing.notes) + _lost_classes(listing, classes, usable)
    notes += _too_small(pictures, (*equal, *near))
    findings, common = _common_to_all(findings, len(usable))
    common += _range_note(pictures)
    root = listing.root
    return Audit(
        root=str(root), kind=listing.kind, task=listing.task, classes=classes, pictures=pictures,
        findings=tuple(
            Finding(relative_name(path, root), kind, KINDS[kind].action, detail)
            for path, kind, detail in sorted(findings, key=lambda f: str(f[0]))
        ),
        duplicates=tuple(equal), near_duplicates=tuple(near), conflicts=tuple(conflicts),
        notes=tuple(notes + common),
    )  # fmt: skip


def _range_note(pictures: Sequence[Scanned]) -> list[str]:
    measured = [p.value_range for p in pictures if p.value_range]
    if not measured:
        return []
    black, white = measured[0]
    return [
        f"{len(measured)} pictures of numbers without a known black and white are read from "
        f"{black:g} (black) to {white:g} (white), the least and the largest of all"
    ]


_Found = tuple[Path, str, str]  # path, kind, detail


def _conflicts(listing: Listing, usable: list[Read]) -> tuple[list[Conflict], list[_Found]]:
    conflicts: list[Conflict] = []
    findings: list[_Found] = []
    if listing.task in FREE:
        return conflicts, findings
    for group in same_digest([read.digest for read in usable]):
        samples = [usable[index].sample for index in group]
        labels = sorted({sample.label for sample in samples})
        if len(labels) < 2:
            continue
        names = tuple(relative_name(sample.path, listing.root) for sample in samples)
        conflicts.append(Conflict(names, tuple(sample.label for sample in samples)))
        for sample in samples:
            detail = f"the same picture is labelled {' and '.join(labels)}: {', '.join(names[:4])}"
            findings.append((sample.path, "conflict", detail))
    return conflicts, findings


def _near_duplicates(
    pictures: tuple[Scanned, ...], equal: list[tuple[int, ...]], thumbnails: np.ndarray
) -> list[tuple[int, ...]]:
    """Groups of nearly equal pictures; with one of equal pictures come all of them."""
    copies = {group[0]: group for group in equal}
    repeated = {index for group in equal for index in group[1:]}
    distinct = np.array([index for index in range(len(pictures)) if index not in repeated])
    groups = [distinct[list(g)].tolist() for g in near_duplicate_groups(thumbnails[distinct])]
    return [tuple(sorted(i for index in g for i in copies.get(index, (index,)))) for g in groups]


def _without_leaks(listing: Listing, usable: list[Read]) -> tuple[list[Read], list[_Found]]:
    """The reads without those that a later part of the user's has a copy of."""
    samples = [read.sample for read in usable]
    leave = copies_to_leave(samples, same_digest([read.digest for read in usable]))
    findings = []
    for index, copy in leave.items():
        name = relative_name(samples[copy].path, listing.root)
        detail = f"a copy of {name}, which is in {samples[copy].split}"
        findings.append((samples[index].path, "leak", detail))
    return [read for index, read in enumerate(usable) if index not in leave], findings


def _similar(
    listing: Listing, pictures: tuple[Scanned, ...], near: list[tuple[int, ...]]
) -> list[_Found]:
    """Near-duplicates that stand in two of the user's own splits, or in two classes."""
    samples = [picture.sample for picture in pictures]
    findings: list[_Found] = []
    for index, other in alike(samples, near).items():
        name, split = relative_name(samples[other].path, listing.root), samples[other].split
        detail = f"nearly the same as {name}, which is in {split or 'train'}"
        findings.append((samples[index].path, "near leak", detail))
    for group in near if listing.task not in FREE else ():
        for index in group:
            others = [k for k in group if samples[k].label != samples[index].label]
            if others:
                name = relative_name(samples[others[-1]].path, listing.root)
                findings.append((samples[index].path, "similar in another class", f"like {name}"))
    return findings


def _lost_classes(listing: Listing, classes: tuple[str, ...], usable: list[Read]) -> list[str]:
    parts: dict[str, set[str]] = {}
    for read in usable:
        for label in read.sample.labels:
            parts.setdefault(label, set()).add(read.sample.split or "train")
    return [
        f"class {label} has pictures in the {' and '.join(sorted(parts[label]))} "
        f"split{'s' * (len(parts[label]) > 1)} only, so it cannot be learned"
        if label in parts
        else f"class {label} has no usable picture"
        for label in sorted(set(listing.classes) - set(classes))
    ]


def _too_small(pictures: tuple[Scanned, ...], groups: Sequence[tuple[int, ...]]) -> list[str]:
    component = connected(len(pictures), groups)
    different: dict[str, set[int]] = {}
    for picture, number in zip(pictures, component.tolist(), strict=True):
        for label in picture.sample.labels:
            different.setdefault(label, set()).add(number)
    few = [f"{label} ({len(found)})" for label, found in sorted(different.items())
           if len(found) < ENOUGH]  # fmt: skip
    if not few:
        return []
    return [
        f"fewer than {ENOUGH} per class: {some(few)}; {ENOUGH} different pictures are needed, two "
        "to learn from and one each to validate and to test"
    ]


def _common_to_all(findings: list[_Found], usable: int) -> tuple[list[_Found], list[str]]:
    """Turn what holds for every picture into one note: it is how this collection is."""
    counts = Counter(kind for _, kind, _ in findings)
    common = [kind for kind in ("grey", "very small") if usable and counts[kind] == usable]
    notes = {"grey": "all pictures are grey", "very small": "all pictures are very small"}
    return [f for f in findings if f[1] not in common], [notes[kind] for kind in common]
