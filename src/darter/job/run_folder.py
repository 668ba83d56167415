"""The folder of one training run: its records, which stages are done, and the time they took."""

import fcntl
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from darter import machine
from darter.errors import DarterError, DataError, OptionError
from darter.files import cannot_write, clean, read_json, write_json

DEFAULT_PARENT = "darter-runs"
TRAINED = "trained.onnx"  # the model as it was trained, where a wish changed it
PACKAGES = ("darter", "numpy", "onnx", "onnxruntime", "torch", "torchvision", "timm")


class RunFolder:
    """Records are JSON files; a stage is done when it is named in run.json's "seconds"."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.path = path
        self.run = run
        self._made: list[Path] = []  # folders that were not there, the innermost first
        self._started = time.monotonic()
        self._spent_before = sum(run["seconds"].values()) + sum(run.get("unfinished", {}).values())

    @classmethod
    def create(
        cls, path: Path, options: dict[str, Any], *, command: str | None = None
    ) -> "RunFolder":
        """Start a run in a folder that is new or empty."""
        try:
            if (path / "run.json").exists():
                raise OptionError(
                    f"{path} is not empty. Go on with that run by --resume {path}, "
                    "or name another folder with --out."
                )
            if path.exists() and any(path.iterdir()):
                raise OptionError(f"{path} is not empty; name a new folder with --out.")
        except NotADirectoryError:
            raise OptionError(f"--out {path} is a file; name a folder.") from None
        except OSError as error:
            raise DataError(f"cannot use {path} for the run: {error.strerror}.") from error
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        folder = cls(
            path,
            {
                "version": 1,
                "command": command or shlex.join(["darter", *sys.argv[1:]]),
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "state": "started",
                "options": options,
                "seconds": {},
                "versions": {"python": platform.python_version(), **_versions()},
                "machine": machine.describe(),
            },
        )
        folder._made = made
        folder.save()
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open a run that was interrupted. DataError where the folder holds none."""
        if not (path / "run.json").exists():
            raise DataError(f"{path} holds no run of darter: there is no run.json in it.")
        return cls(path, read_json(path / "run.json"))

    def discard(self) -> None:
        """Leave the disk as it was before `create`."""
        for entry in self.path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        with suppress(OSError):  # another run is in it by now
            for folder in self._made:
                folder.rmdir()

    def claim(self) -> None:
        """Keep other processes out of this run until `release`, or until this process ends."""
        try:
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"another process is working on the run in {self.path}.") from None
        clean(self.path)

    def release(self) -> None:
        self._lock.close()

    @property
    def model(self) -> Path:
        return self.path / "model.onnx"

    @property
    def spent(self) -> float:
        """Seconds that this run has taken so far, earlier sittings included."""
        return self._spent_before + time.monotonic() - self._started

    def save(self, **entries: Any) -> None:
        self.run |= entries
        write_json(self.path / "run.json", self.run)

    def record(self, name: str, value: Any) -> None:
        write_json(self.path / f"{name}.json", value)

    def read(self, name: str) -> Any:
        return read_json(self.path / f"{name}.json")

    def has(self, name: str) -> bool:
        return (self.path / f"{name}.json").exists()

    def done(self, stage: str) -> bool:
        return stage in self.run["seconds"]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; it counts as done, in run.json, when the block ends without an error.

        Its seconds are those of all sittings: what an interrupted one took is kept in "unfinished"
        until then.
        """
        started = time.monotonic()
        seconds, unfinished = self.run["seconds"], self.run.setdefault("unfinished", {})
        try:
            yield
        except BaseException:
            unfinished[name] = round(unfinished.get(name, 0) + time.monotonic() - started, 3)
            with suppress(DarterError):  # what went wrong first is what is told
                self.save()
            raise
        before = seconds.get(name, 0) + unfinished.pop(name, 0)
        seconds[name] = round(before + time.monotonic() - started, 3)
        self.save()


def new_run_path(root: Path) -> Path:
    """The first free `darter-runs/<name of the data>-<number>` in the working folder."""
    base = Path(DEFAULT_PARENT)
    name = root.resolve().stem or "pictures"
    number = 1
    while (base / f"{name}-{number}").exists():
        number += 1
    return base / f"{name}-{number}"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
