"""Files that are whole or not there: written aside, then renamed."""

import errno
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from darter.errors import DataError
from darter.names import to_json, visible

URL = re.compile(r"[a-z][a-z0-9+.-]+:/+\S", re.IGNORECASE)  # Path makes one slash of two
ASIDE = ".darter-part"  # ends the name of a file that is being written
SPACE, PERMISSIONS, NAME = (
    "Free some space, or choose another folder",
    "Check its permissions, or choose another folder",
    "Choose another name",
)
REMEDIES = {
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EACCES: PERMISSIONS,
    errno.EPERM: PERMISSIONS,
    errno.EISDIR: NAME,
    errno.ENOTDIR: NAME,
    errno.EEXIST: NAME,
    errno.ENAMETOOLONG: NAME,
    errno.EROFS: "Choose another folder: nothing can be written to this disk",
}


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that readers see the old content or the new, never half of it.

    Its permissions are what the user's umask leaves of rw-rw-rw-. What a killed process has left
    aside is removed by `clean`.
    Raises DataError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    # A file name need not be UTF-8; backslashreplace keeps it readable, and JSON reads it back.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name[:32]}.{os.urandom(6).hex()}{ASIDE}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise cannot_write(path, error) from error


def clean(folder: Path, *, older_than: float = 0.0) -> None:
    """Remove what killed writes have left in a folder, hours old where others may be writing too.

    older_than: seconds since the last change; 0 is for a folder that nobody else writes to.
    """
    with suppress(OSError):
        for aside in Path(folder).glob(f".*{ASIDE}"):
            with suppress(OSError):
                if time.time() - aside.stat().st_mtime >= older_than:
                    aside.unlink()


def check_writable(path: Path) -> None:
    """Raise now the DataError that `write_atomic` would raise after the work."""
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.with_name(f".{path.name[:32]}.{os.urandom(6).hex()}{ASIDE}")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        probe.unlink()
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """The folder, made where it is not there. DataError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    check_writable(path / "any")


def cannot_write(path: Path, error: OSError | ValueError) -> DataError:
    """What to tell a user whose file could not be written."""
    remedy = REMEDIES.get(getattr(error, "errno", None) or 0, "Choose another folder")
    reason = getattr(error, "strerror", None) or error
    return DataError(f"cannot write {visible(path)}: {reason}. {remedy}.")


def refuse_url(path: Path | str) -> None:
    """Raise DataError for what is an address on a network and no file."""
    if URL.match(str(path)):
        address = re.sub(":/+", "://", str(path), count=1)
        raise DataError(
            f"{visible(address)} is a URL, and darter fetches nothing from a network: download it "
            "and give the file."
        )


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; numpy scalars and arrays, paths and tuples are accepted."""
    write_atomic(path, to_json(value, indent=1, default=_plain) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises DataError that names the file where it is missing or damaged."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{visible(path)} is missing") from None
    except RecursionError:
        raise DataError(f"cannot read {visible(path)}: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {visible(path)}: {error}") from error


def user_cache(name: str) -> Path | None:
    """A folder for what can be computed again: $XDG_CACHE_HOME (or ~/.cache)/darter/NAME.

    None where this user has no such place.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base or Path.home() / ".cache") / "darter" / name
    except RuntimeError:  # no home
        return None


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
