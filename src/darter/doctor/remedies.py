"""One remedy for each part that can limit: what to do, what it should gain, and how to try it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from darter.dataset import Listing, Sample, content_of, open_pack, pack
from darter.doctor import runs
from darter.doctor.diagnosis import Times
from darter.doctor.job import Job
from darter.doctor.parts import Parts, measure_parts
from darter.machine import available_cpus
from darter.picture import Augment

BUFFER = 256  # pictures that wait to be shuffled when the shards are tried


@dataclass(frozen=True)
class Remedy:
    """advice: an imperative sentence without its point.   speedup: expected, of all training.

    try_out: seconds for the trial -> the run with the remedy.
    """

    advice: str
    speedup: float
    try_out: Callable[[float], runs.Run]


def remedy_for(limit: str, job: Job, times: Times, parts: Parts) -> Remedy:
    """The remedy for the part that limits."""
    threads = _more_threads(job, times)
    if threads is not None and limit not in ("model", "memory"):
        return threads
    return _REMEDIES[limit](job, times, parts)


def _more_threads(job: Job, times: Times) -> Remedy | None:
    """Where the user allows the loader fewer threads than there are cores."""
    cores = available_cpus()
    if job.threads is None or job.threads >= cores:
        return None
    best = max(times.without_model * job.threads / cores, times.without_augmentation)
    return Remedy(
        f"give the loader {cores} threads instead of {job.threads} (leave --threads out)",
        times.everything / best,
        lambda seconds: runs.everything(replace(job, threads=None), seconds),
    )


def _shards(job: Job, times: Times, parts: Parts) -> Remedy:
    def try_out(seconds: float) -> runs.Run:
        with tempfile.TemporaryDirectory() as folder:
            samples = tuple(Sample(path, "all") for path in job.samples)
            pack(Listing(Path("all.csv"), "csv", samples), folder)
            packed = tuple(sample.path for sample in open_pack(folder).samples)
            return runs.everything(replace(job, samples=packed), seconds, sequential=BUFFER)

    return Remedy(
        "pack the pictures into shards (darter pack DIR OUT) and train from OUT, or copy them to "
        "a faster disk",
        times.everything / times.without_reading,
        try_out,
    )


def _smaller_pictures(job: Job, times: Times, parts: Parts) -> Remedy:
    side = round(job.augment.min_side * 1.34)  # the long side of a photo of 4:3
    if parts.side <= 1.1 * side:
        return _fewer_pixels(job, times, parts)
    share = (side / parts.side) ** 2
    decoding = times.without_reading - times.without_decoding
    expected = times.without_decoding + share * decoding
    reading = share * (times.everything - times.without_reading)

    def try_out(seconds: float) -> runs.Run:
        contents = {path: content_of(job.read(path), side, None)[0] for path in job.samples}
        return runs.everything(replace(job, read=contents.__getitem__), seconds)

    return Remedy(
        f"store smaller pictures (darter pack DIR OUT --max-side {side}) and train from OUT",
        times.everything / (expected + reading),
        try_out,
    )


def _fewer_pixels(job: Job, times: Times, parts: Parts) -> Remedy:
    """The pictures are no larger than the views need: look at smaller views; work is by pixels."""
    size = max(32, round(job.augment.size * 0.7 / 32) * 32)
    share = (size / job.augment.size) ** 2
    smaller = job.with_size(size)
    return Remedy(
        f"train at a smaller size (--size {size})",
        1 / share,
        lambda seconds: runs.everything(smaller, seconds),
    )


def _lighter_augmentation(job: Job, times: Times, parts: Parts) -> Remedy:
    given = job.augment
    light = Augment.default(
        given.size, "light", mean=given.mean, std=given.std, crop=given.crop, border=given.border
    )
    lighter = replace(job, augment=light)
    share = measure_parts(lighter).augment / parts.augment
    augmentation = times.without_decoding - times.without_augmentation
    expected = times.everything - (1 - min(1.0, share)) * augmentation
    return Remedy(
        'choose a lighter augmentation (augment = "light" in the recipe)',
        times.everything / expected,
        lambda seconds: runs.everything(lighter, seconds),
    )


def _lighter_model(job: Job, times: Times, parts: Parts) -> Remedy:
    ways = job.model.lighter()
    if not ways:
        return Remedy(
            "choose a smaller network (--backbone), or train fewer layers "
            "(--strategy fine-tune-last)",
            1.0,
            lambda seconds: runs.everything(job, seconds),
        )
    lighter = ways[0]
    model = times.everything - times.without_model
    expected = times.everything - (1 - 1 / lighter.speedup) * model

    def try_out(seconds: float) -> runs.Run:
        changed = replace(job.with_size(lighter.size), model=lighter.model())
        return runs.everything(changed, seconds)

    return Remedy(lighter.advice, times.everything / expected, try_out)


def _smaller_batch(job: Job, times: Times, parts: Parts) -> Remedy:
    half = max(1, job.batch_size // 2)
    return Remedy(
        f"halve the batch and accumulate two (batch_size = {half}, accumulate = 2 in the recipe)",
        1.0,
        lambda seconds: runs.everything(replace(job, batch_size=half), seconds),
    )


_REMEDIES = {
    "reading": _shards,
    "decoding": _smaller_pictures,
    "augmentation": _lighter_augmentation,
    "model": _lighter_model,
    "memory": _smaller_batch,
}
