"""Feature rows on disk, found again by the digest of the picture's content."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darter.files import write_atomic
from darter.picture import Preprocess
from darter.transfer.backbone import Backbone


def key_of(backbone: Backbone, preprocess: Preprocess, mirror: bool) -> str:
    """Equal keys, equal rows: of the weights, the layers read and the preprocessing."""
    parts = [backbone.digest(), list(backbone.taps), preprocess.to_dict(), mirror]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


class FeatureCache:
    """Rows of one backbone and preprocessing, in files of a few thousand rows each.

    A file that cannot be read is deleted; its rows count as missing. folder None: memory only.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = None if folder is None else Path(folder) / f"features-{key}"
        self._parts: list[NDArray[np.float32]] = []
        self._place: dict[str, tuple[int, int]] = {}  # digest -> (part, row)
        for file in sorted(self.folder.glob("*.npz")) if self.folder else []:
            self._read(file)

    def __contains__(self, digest: str) -> bool:
        return digest in self._place

    def add(self, digests: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keep the rows of these pictures. Raises DataError where the folder cannot be written."""
        self._remember(digests, rows)
        if self.folder is None:
            return
        content = io.BytesIO()
        np.savez(content, digests=np.array(digests), rows=rows)
        name = hashlib.sha256("".join(digests).encode()).hexdigest()[:24]
        write_atomic(self.folder / f"{name}.npz", content.getvalue())

    def rows(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """float32 (len(digests), width), in this order."""
        places = [self._place[d] for d in digests]
        if not places:
            return np.zeros((0, 0), np.float32)
        out = np.empty((len(places), self._parts[0].shape[1]), np.float32)
        for i, (part, row) in enumerate(places):
            out[i] = self._parts[part][row]
        return out

    def _read(self, file: Path) -> None:
        try:
            with np.load(file, allow_pickle=False) as content:
                digests, rows = content["digests"].tolist(), content["rows"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            file.unlink(missing_ok=True)
            return
        if rows.ndim != 2 or len(rows) != len(digests) or not np.isfinite(rows).all():
            file.unlink(missing_ok=True)
            return
        self._remember(digests, rows)

    def _remember(self, digests: Sequence[str], rows: NDArray[np.float32]) -> None:
        for row, digest in enumerate(digests):
            self._place[digest] = (len(self._parts), row)
        self._parts.append(rows)
