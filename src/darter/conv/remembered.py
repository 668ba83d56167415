"""Timings of earlier `autotune` calls, on disk: one small file per CPU and shape."""

import hashlib
import math
import os
import warnings
from pathlib import Path

from darter.conv.spec import ConvSpec
from darter.errors import DataError
from darter.files import clean, read_json, user_cache, write_json
from darter.kernels import active_isa, threads
from darter.machine import cpu_model

VERSION = 4  # raise it when kernels change enough to make old timings wrong


def recall(spec: ConvSpec) -> dict[str, float]:
    """Milliseconds by algorithm, or {} where this machine has not timed the shape yet."""
    try:
        file = _file(spec)
        record = {"milliseconds": {}} if file is None else read_json(file)
        kept = {str(name): float(ms) for name, ms in record["milliseconds"].items()}
        return {name: ms for name, ms in kept.items() if 0 < ms < math.inf}
    except (DataError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return {}  # missing or damaged: the same as never timed


def remember(spec: ConvSpec, milliseconds: dict[str, float]) -> None:
    """Keep timings; another process sees the old ones or these, never a mixture.

    Where they cannot be kept, a warning says so.
    """
    file = _file(spec)
    if file is None:
        return
    record = {"key": _key(spec), "milliseconds": {**recall(spec), **milliseconds}}
    try:
        clean(file.parent, older_than=3600)
        write_json(file, record)
    except DataError as error:
        warnings.warn(
            f"timings of convolutions are not kept: {error} $DARTER_CACHE names another.",
            stacklevel=3,
        )


def folder() -> Path | None:
    """$DARTER_CACHE, or darter's in $XDG_CACHE_HOME or ~/.cache; None where there is none."""
    own = os.environ.get("DARTER_CACHE")
    if own:
        return Path(own).expanduser() / "conv"
    return user_cache("conv")


def _key(spec: ConvSpec) -> str:
    return f"{VERSION}|{cpu_model()}|{active_isa()}|{threads()} threads|float32|{spec}"


def _file(spec: ConvSpec) -> Path | None:
    here = folder()
    if here is None:
        return None
    return here / f"{hashlib.sha256(_key(spec).encode()).hexdigest()[:32]}.json"
