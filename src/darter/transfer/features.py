"""Pooled features of pictures from a frozen backbone: computed once, kept on disk by content.

found = features(backbone, audit.pictures, backbone.preprocess(), cache_dir=run / "cache")
found.last                 # (N, feature_dim)
found.read("all")          # (N, backbone.width("all")), as a Classifier's head reads them
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from darter.cluster import Workers, in_chunks
from darter.dataset import Loader, Scanned
from darter.errors import DataError
from darter.picture import Picture, Preprocess
from darter.transfer.backbone import Backbone
from darter.transfer.cache import FeatureCache, key_of
from darter.transfer.extract import extractor

Source = Scanned | Path | Picture
Progress = Callable[[int, int], None]

_BATCH = 16
_SHARD = 2048  # pictures per file of the cache: what an interrupted run loses at most


@dataclass(frozen=True)
class Features:
    """Features of N pictures: one row each.

    last: float32 (N, D). inner: name of a block -> float32 (N, Dk). mirrored: the same of the
    mirror images, where asked.
    """

    last: NDArray[np.float32]
    inner: dict[str, NDArray[np.float32]]
    mirrored: "Features | None" = None

    def __len__(self) -> int:
        return len(self.last)

    def read(self, layers: str = "last") -> NDArray[np.float32]:
        """What a head sees that reads the "last" layer or "all" layers; inner layers first."""
        if layers == "last":
            return self.last
        return np.concatenate([*self.inner.values(), self.last], axis=1)

    def take(self, indices: NDArray) -> "Features":
        """The rows of some pictures."""
        mirrored = None if self.mirrored is None else self.mirrored.take(indices)
        inner = {name: rows[indices] for name, rows in self.inner.items()}
        return Features(self.last[indices], inner, mirrored)


def features(
    backbone: Backbone,
    sources: Sequence[Source],
    preprocess: Preprocess,
    *,
    cache_dir: Path | None = None,
    mirror: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Features:
    """Features of every picture, in evaluation preprocessing; known ones come from the cache.

    cache_dir: None keeps nothing. mirror: also of the mirror images (twice the time).
    device: "cpu" computes them there even where a GPU is.
    progress: called with (pictures done, pictures in all).
    workers: that share the work; None computes in this process.
    Raises DataError that names the first picture that cannot be read.
    """
    digests = [digest_of(s) for s in sources]
    width = backbone.width("all") * (2 if mirror else 1)
    known = FeatureCache(cache_dir, key_of(backbone, preprocess, mirror), width)
    missing = {d: s for d, s in zip(digests, sources, strict=True) if d not in known}
    done = len(sources) - len(missing)
    if progress is not None:
        progress(done, len(sources))
    if missing:
        names, todo = list(missing), list(missing.values())
        how = _Extraction(backbone, preprocess, mirror, device, len(sources))
        found = (
            in_chunks(partial(_listed, how), todo, workers, 4 * _BATCH)
            if workers
            else how(None)(todo)
        )
        for start in range(0, len(todo), _SHARD):
            rows: list[NDArray[np.float32]] = []
            for row in islice(found, _SHARD):
                rows.append(row)
                done += 1
                if progress is not None and (done % _BATCH == 0 or done == len(sources)):
                    progress(done, len(sources))
            known.add(names[start : start + _SHARD], np.stack(rows))
    return _split(backbone, known.rows(digests), mirror)


@dataclass(frozen=True)
class _Extraction:
    """How rows are made of pictures. pictures: how many in all, on which the way depends."""

    backbone: Backbone
    preprocess: Preprocess
    mirror: bool
    device: str
    pictures: int

    def __call__(
        self, threads: int | None
    ) -> Callable[[Sequence[Source]], Iterator[NDArray[np.float32]]]:
        """With so many threads, where a worker calls."""
        if threads:
            torch.set_num_threads(threads)
        run = extractor(self.backbone, self.preprocess.side, self.pictures, _BATCH, self.device)

        def rows(sources: Sequence[Source]) -> Iterator[NDArray[np.float32]]:
            for batch in _batches(sources, self.preprocess):
                yield from _with_mirror(run, batch, self.mirror)

        return rows


def _listed(how: _Extraction, threads: int | None) -> Callable[[Sequence[Source]], list[NDArray]]:
    """As a worker gives it back."""
    rows = how(threads)
    return lambda sources: list(rows(sources))


def digest_of(source: Source) -> str:
    """Of the picture's content: pixels where they were decoded, else the file."""
    if isinstance(source, Scanned):
        return source.digest
    if isinstance(source, Picture):
        shape = str(source.pixels.shape).encode()
        return hashlib.sha256(shape + source.pixels.tobytes()).hexdigest()
    try:
        return hashlib.sha256(Path(source).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from error


def _batches(sources: Sequence[Source], preprocess: Preprocess) -> Iterator[NDArray[np.float32]]:
    files = [s.sample.path if isinstance(s, Scanned) else s for s in sources]
    loader = Loader(files, np.zeros(len(files), np.int64), preprocess, _BATCH, shuffle=False)
    for batch in loader.epoch(0):
        yield batch.images


def _with_mirror(run: Callable, images: NDArray[np.float32], mirror: bool) -> NDArray[np.float32]:
    straight = run(images)
    if not mirror:
        return straight
    return np.concatenate([straight, run(np.ascontiguousarray(images[..., ::-1]))], axis=1)


def _split(backbone: Backbone, rows: NDArray[np.float32], mirror: bool) -> Features:
    """Cut rows as `Backbone.read(…, "all")` joins them; mirror images' features follow."""
    width = backbone.width("all")
    mirrored = _split(backbone, rows[:, width:], False) if mirror else None
    inner, start = {}, 0
    for name, size in backbone.taps.items():
        inner[name] = rows[:, start : start + size]
        start += size
    return Features(np.ascontiguousarray(rows[:, start:width]), inner, mirrored)
