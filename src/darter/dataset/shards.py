"""Writing WebDataset tars, one after the other."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

SHARDS, STRANGERS = "shard", "strangers"  # how their names begin


class ShardWriter:
    """Writes one tar after the other; each gets its name when it is whole and on the disk."""

    def __init__(self, out: Path, limit: int, kind: str = SHARDS) -> None:
        self.out, self.limit, self.kind = out, limit, kind
        self.written: list[tuple[Path, int]] = []  # path, pictures
        self._tar: tarfile.TarFile | None = None
        self._count = 0

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._tar is not None:
            self._tar.close()
            self._part().unlink()

    def add(
        self,
        number: int,
        name: str,
        content: bytes,
        suffix: str | None,
        label: int | list[int] | None,
        about: dict[str, Any] | None,
    ) -> tuple[int, int, int]:
        """(shard, offset, size) of the picture's bytes. label: number of its class, or several, or
        None for a picture of none.   about: what else is known of it."""
        if self._tar is None:
            self._tar = tarfile.open(self._part(), "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            self._count = 0
        key = f"{number:08}-{_plain(Path(name).stem)}"
        self._add(key + (suffix or _plain_suffix(name)), content)
        offset = self._tar.offset - (-(-len(content) // 512) * 512)
        if label is not None:
            self._add(f"{key}.cls", str(label).encode())
        self._add(f"{key}.json", json.dumps({"path": name, **(about or {})}).encode())
        self._count += 1
        place = (len(self.written), offset, len(content))
        if self._tar.offset >= self.limit:
            self._finish()
        return place

    def _add(self, name: str, content: bytes) -> None:
        assert self._tar is not None
        info = tarfile.TarInfo(name)  # owner, date: none, so that equal pictures make equal shards
        info.size, info.mode = len(content), 0o644
        self._tar.addfile(info, io.BytesIO(content))

    def _part(self) -> Path:
        return self.out / f"{self.kind}-{len(self.written):05}.tar.part"

    def _finish(self) -> None:
        if self._tar is None:
            return
        self._tar.close()
        self._tar = None
        part = self._part()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        path = part.with_suffix("")
        part.replace(path)
        self.written.append((path, self._count))


def _plain(stem: str) -> str:
    """A name without dots, at which WebDataset would cut the key, and within tar's 100 bytes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]


def _plain_suffix(name: str) -> str:
    suffix = _plain(Path(name).suffix.lower().removeprefix("."))
    return f".{'bin' if suffix in ('', 'cls', 'json') else suffix}"  # those two are ours
