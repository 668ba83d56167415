"""Read every picture once: what is usable, what is not and why, what is there twice."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from darter.cluster import Workers, in_chunks
from darter.dataset.assemble import assemble
from darter.dataset.audit import Audit
from darter.dataset.reading import Read, read_picture
from darter.dataset.sample import Sample
from darter.dataset.samples import Listing, find_samples
from darter.machine import available_cpus
from darter.picture import MAX_PIXELS, ValueRange

Progress = Callable[[int, int], None]


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
    reads: list[Read] = []
    how = partial(_read_all, max_pixels=max_pixels, threads=threads, workers=workers)
    for done, read in enumerate(how(listing.samples), 1):
        reads.append(read)
        if progress:
            progress(done, len(listing.samples))
    return assemble(listing, _with_one_range(reads, how))


def _with_one_range(reads: list[Read], read_all: Callable[..., Iterator[Read]]) -> list[Read]:
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
) -> Iterator[Read]:
    if workers:
        yield from in_chunks(partial(_reader, max_pixels, value_range), samples, workers)
        return
    pool = ThreadPoolExecutor(threads or available_cpus(), "darter-scan")
    try:
        yield from pool.map(lambda sample: read_picture(sample, max_pixels, value_range), samples)
    finally:
        pool.shutdown(cancel_futures=True)


def _reader(
    max_pixels: int, value_range: ValueRange | None, threads: int | None
) -> Callable[[Sequence[Sample]], list[Read]]:
    """What a worker reads a chunk of samples with."""
    return lambda samples: list(_read_all(samples, max_pixels, threads, value_range))
