"""Read every picture once: what is usable, what is not and why, what is there twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from darter.cluster import Workers, in_chunks
from darter.dataset.audit import ENOUGH, Audit, Conflict, Finding, Scanned, relative_name, some
from darter.dataset.check_boxes import check_target
from darter.dataset.duplicates import (
    connected,
    near_duplicate_groups,
    perceptual_hashes,
    pixel_digest,
    same_digest,
    thumbnail,
)
from darter.dataset.leaks import alike, copies_to_leave
from darter.dataset.sample import Sample
from darter.dataset.samples import Listing, find_samples
from darter.dataset.statistics import PixelStatistics
from darter.errors import DataError
from darter.machine import available_cpus
from darter.names import visible
from darter.picture import (
    KINDS,
    LEFT_OUT,
    MAX_PIXELS,
    PictureError,
    ValueRange,
    decode,
    formats,
    locate,
)

Progress = Callable[[int, int], None]
SCAN_SIDE = 512  # JPEGs are scanned at 1/2 .. 1/8 size while the short side stays this long
VERY_SMALL = 16
FREE = ("detect", "caption")  # tasks of which two people say different things that are both right


@dataclass(frozen=True)
class _Read:
    """What one worker found in one file."""

    sample: Sample
    notes: tuple[tuple[str, str], ...]  # (kind, detail)
    size: tuple[int, int] = (0, 0)
    format: str = ""
    digest: str = ""  # empty: not usable
    grey: bool = False
    thumbnail: np.ndarray = field(default_factory=lambda: np.empty(0))
    pixels: PixelStatistics = field(default_factory=lambda: PixelStatistics.merge(()))
    stamp: tuple[int, int] = (0, 0)
    values: ValueRange | None = None  # least and largest, where the file has no black and white
    value_range: ValueRange | None = None  # with which it was read


def scan(
    source: Listing | Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Audit:
    """Read every file of a listing (or of a folder or CSV) and tell what is odd.

    Pictures that can be read correctly are usable; the others are left out, with the reason.
    Nothing is modified. The same picture under two labels is left out under both.
    progress(done, total) is called from this thread.
    workers: that share the reading; None reads in this process.

    Raises DataError only where a folder or CSV cannot be read; `check_audit` says whether the
    pictures are enough to train on.
    """
    listing = source if isinstance(source, Listing) else find_samples(source)
    reads: list[_Read] = []
    how = partial(_read_all, max_pixels=max_pixels, threads=threads, workers=workers)
    for done, read in enumerate(how(listing.samples), 1):
        reads.append(read)
        if progress:
            progress(done, len(listing.samples))
    return _assemble(listing, _with_one_range(reads, how))


def _with_one_range(reads: list[_Read], read_all: Callable[..., Iterator[_Read]]) -> list[_Read]:
    """Read again, from the least to the largest of all, files without a black and white.

    One range for all of them: with one of its own, each picture would lose what tells it from the
    others. Where all are floats in [0, 1], that is what they mean, and nothing is read again.
    """
    if not any(read.values and not read.digest for read in reads):
        return reads
    measured = {at: read for at, read in enumerate(reads) if read.values}
    values = [end for read in measured.values() for end in read.values or ()]
    value_range = min(values), max(values)
    again = read_all([r.sample for r in measured.values()], value_range=value_range)
    found = dict(zip(measured, again, strict=True))
    return [found.get(at, read) for at, read in enumerate(reads)]


def _read_all(
    samples: Sequence[Sample],
    max_pixels: int,
    threads: int | None,
    value_range: ValueRange | None = None,
    workers: Workers | None = None,
) -> Iterator[_Read]:
    if workers:
        yield from in_chunks(partial(_reader, max_pixels, value_range), samples, workers)
        return
    pool = ThreadPoolExecutor(threads or available_cpus(), "darter-scan")
    try:
        yield from pool.map(lambda sample: _read(sample, max_pixels, value_range), samples)
    finally:
        pool.shutdown(cancel_futures=True)


def _reader(
    max_pixels: int, value_range: ValueRange | None, threads: int | None
) -> Callable[[Sequence[Sample]], list[_Read]]:
    """What a worker reads a chunk of samples with."""
    return lambda samples: list(_read_all(samples, max_pixels, threads, value_range))


def _read(sample: Sample, max_pixels: int, value_range: ValueRange | None = None) -> _Read:
    stamp = _stamp(sample.path)  # first: what is replaced while it is read is noticed later
    try:
        picture = decode(
            sample.path, min_side=SCAN_SIDE, max_pixels=max_pixels, value_range=value_range
        )
    except PictureError as error:
        return _Read(sample, ((error.kind, error.detail),), values=error.values)
    target, flaws = check_target(sample.target, picture.size, picture.orientation)
    sample = replace(sample, target=target)
    if any(KINDS[kind].action == LEFT_OUT for kind, _ in flaws):
        return _Read(sample, tuple(flaws))
    notes = [(kind, KINDS[kind].meaning) for kind in picture.notes]
    promised = formats.extension_mismatch(sample.path.suffix, picture.format)
    if promised:
        notes.append(("wrong extension", f"named {promised}, but it is {picture.format}"))
    width, height = picture.size
    if min(width, height) < VERY_SMALL:
        notes.append(("very small", f"{width}x{height} pixels"))
    notes += flaws
    grey = _is_grey(picture.pixels)
    if grey:
        notes.append(("grey", KINDS["grey"].meaning))
    return _Read(
        sample, tuple(notes), picture.size, picture.format,
        pixel_digest(picture.pixels, picture.size), grey,
        thumbnail(picture.pixels), PixelStatistics.of(picture.pixels), stamp,
        picture.values, value_range if picture.values else None,
    )  # fmt: skip


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, or of the shard that it is in; (0, 0) where it is not."""
    try:
        member = None if path.exists() else locate(path)
        status = (path if member is None else member.shard).stat()
    except (OSError, ValueError, DataError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


def check_unchanged(pictures: Iterable[Scanned], *, max_pixels: int = MAX_PIXELS) -> None:
    """Raise DataError that names the first picture that is gone, or another one, since its scan.

    Only files of another size or time are read again, so this costs next to nothing.
    """
    for picture in pictures:
        if _stamp(picture.sample.path) == picture.stamp:
            continue
        now = _read(picture.sample, max_pixels, picture.value_range)
        if now.digest != picture.digest:
            what = "was replaced by another picture" if now.digest else f"is {now.notes[0][0]}"
            raise DataError(
                f"{visible(picture.sample.path)} {what} since the audit, so what is known of it "
                "no longer holds. Put it back, or start a new run."
            )


def _is_grey(pixels: np.ndarray) -> bool:
    for part in (pixels[::8, ::8], pixels):  # most color pictures show it at the first look
        red, green, blue = np.moveaxis(part, 2, 0)
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            return False
    return True


def _assemble(listing: Listing, reads: list[_Read]) -> Audit:
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


def _conflicts(listing: Listing, usable: list[_Read]) -> tuple[list[Conflict], list[_Found]]:
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


def _without_leaks(listing: Listing, usable: list[_Read]) -> tuple[list[_Read], list[_Found]]:
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


def _lost_classes(listing: Listing, classes: tuple[str, ...], usable: list[_Read]) -> list[str]:
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
