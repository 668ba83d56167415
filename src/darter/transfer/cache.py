"""Feature rows on disk, found again by the digest of the picture's content."""

import hashlib
import io
import json
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darter.errors import DataError
from darter.files import clean, write_atomic
from darter.picture import Preprocess
from darter.transfer.backbone import Backbone

LEFT_ALONE = 3600.0  # seconds in which another process may still be writing a file


def key_of(backbone: Backbone, preprocess: Preprocess, mirror: bool) -> str:
    """Equal keys, equal rows: of the weights, the layers read and the preprocessing."""
    parts = [backbone.digest(), list(backbone.taps), preprocess.to_dict(), mirror]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


class FeatureCache:
    """Rows of one backbone and preprocessing, in files of a few thousand rows each.

    folder: None keeps them in memory only.   width: values in a row.
    Whatever is wrong with the folder or a file, its rows count as missing, and one warning says so:
    everything in a cache can be computed again.
    """

    def __init__(self, folder: Path | None, key: str, width: int) -> None:
        self.folder = None if folder is None else Path(folder) / f"features-{key}"
        self.width = width
        self._parts: list[NDArray[np.float32]] = []
        self._place: dict[str, tuple[int, int]] = {}  # digest -> (part, row)
        if self.folder is None:
            return
        clean(self.folder, older_than=LEFT_ALONE)
        damaged = [file for file in _listed(self.folder) if not self._read(file)]
        if damaged:
            files = "1 file" if len(damaged) == 1 else f"{len(damaged)} files"
            warnings.warn(
                f"{files} in {self.folder} cannot be used (e.g. {damaged[0].name}): these features "
                "are computed again",
                stacklevel=3,
            )

    def __contains__(self, digest: str) -> bool:
        return digest in self._place

    def add(self, digests: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keep the rows of these pictures, on the disk as well where it takes them."""
        self._remember(digests, rows)
        if self.folder is None:
            return
        content = io.BytesIO()
        np.savez(content, digests=np.array(digests), rows=rows)
        name = hashlib.sha256("".join(digests).encode()).hexdigest()[:24]
        try:
            write_atomic(self.folder / f"{name}.npz", content.getvalue())
        except DataError as error:
            warnings.warn(f"features are not kept for the next run: {error}", stacklevel=3)
            self.folder = None

    def rows(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """float32 (len(digests), width), in this order."""
        out = np.empty((len(digests), self.width), np.float32)
        for i, digest in enumerate(digests):
            part, row = self._place[digest]
            out[i] = self._parts[part][row]
        return out

    def _read(self, file: Path) -> bool:
        """Whether a file's rows are there now; one that is of no use is removed if it can be."""
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as content:
                digests, rows = content["digests"].tolist(), content["rows"]
            usable = (
                all(isinstance(digest, str) for digest in digests)
                and rows.dtype == np.float32
                and rows.shape == (len(digests), self.width)
                and bool(np.isfinite(rows).all())
            )
        except Exception:  # anything may lie there, and zip and numpy raise many kinds
            usable = False
        if usable:
            self._remember(digests, rows)
        else:
            with suppress(OSError):
                file.unlink()
        return usable

    def _remember(self, digests: Sequence[str], rows: NDArray[np.float32]) -> None:
        for row, digest in enumerate(digests):
            self._place[digest] = (len(self._parts), row)
        self._parts.append(rows)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.npz"))
    except OSError:
        return []
