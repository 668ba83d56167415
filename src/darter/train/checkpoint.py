"""The saved state of a run: one file, whole or not there, that is safe to load."""

import io
from pathlib import Path
from typing import Any

import torch

from darter.errors import DataError, OptionError
from darter.files import write_atomic

NAME = "last.pt"
VERSION = 1


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the folder's checkpoint; the previous one stays until the new one is whole."""
    buffer = io.BytesIO()
    torch.save({"version": VERSION, **state}, buffer)
    write_atomic(folder / NAME, buffer.getvalue())


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The folder's checkpoint, tensors on the CPU, or None where there is none.

    Only plain values and tensors are read (`weights_only`), so a foreign file can run no code.
    Raises DataError where the file is damaged.
    """
    for aside in folder.glob(f".{NAME}.*"):  # left by a write that was cut short
        aside.unlink(missing_ok=True)
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise DataError(
            f"{path} is damaged ({error}). Remove it to train this run again from its start."
        ) from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise DataError(f"{path} is not a checkpoint that this version of darter can continue.")
    return state


def check_same(about: dict[str, Any], saved: dict[str, Any]) -> None:
    """Raise OptionError where a checkpoint belongs to another recipe, net or set of pictures."""
    for name, value in _flat(about).items():
        before = _flat(saved).get(name)
        if before != value:
            raise OptionError(
                f"cannot resume: {name} was {before!r} and is now {value!r}. "
                "Train into a new folder, or resume with what the run began with."
            )


def _flat(entries: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    found: dict[str, Any] = {}
    for name, value in entries.items():
        inner = isinstance(value, dict)
        found |= _flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found
