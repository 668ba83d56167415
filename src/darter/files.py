"""Files that are whole or not there: written aside, then renamed."""

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from darter.errors import DataError

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that readers see the old content or the new, never half of it.

    Raises DataError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    # A file name need not be UTF-8; backslashreplace keeps it readable, and JSON reads it back.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(0o644)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> DataError:
    """What to tell a user whose file could not be written."""
    remedy = "Free some space" if error.errno in FULL else "Check its permissions"
    reason = error.strerror or error
    return DataError(f"cannot write {path}: {reason}. {remedy}, or choose another folder.")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; numpy scalars and arrays, paths and tuples are accepted."""
    write_atomic(path, json.dumps(value, indent=1, default=_plain, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises DataError that names the file where it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def user_cache(name: str) -> Path:
    """A folder for what can be computed again: $XDG_CACHE_HOME (or ~/.cache)/darter/NAME."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "darter" / name


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
