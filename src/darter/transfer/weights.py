"""Read weights from a file and put them into a net, or say what does not fit."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darter.errors import DataError

_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")


def read_state(file: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors or .pth file; no code in the file is ever run.

    Raises DataError where the file is missing, damaged or holds something else.
    """
    if not file.is_file():
        raise DataError(f"weights file {file} does not exist")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"weights file {file} holds more than weights (a pickled model?) and is not opened, "
            "because such a file can run code. Save net.state_dict(), best as .safetensors."
        ) from error
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise DataError(
            f"weights file {file} cannot be read: {first_line}. "
            "Expected a state dict saved as .safetensors or by torch.save."
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not any(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"weights file {file} has no weights in it: expected names and tensors")
    tensors = {k.removeprefix("module."): v for k, v in state.items() if isinstance(v, Tensor)}
    return _with_versions(tensors, state)


def fill(net: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load a state dict into a net that has no classifier; the file may have one.

    Raises DataError with what is missing, unexpected or of another shape; then the net is
    unchanged.
    """
    wanted = net.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    shapes = [
        f"{k} is {tuple(state[k].shape)}, expected {tuple(wanted[k].shape)}"
        for k in wanted
        if k in state and state[k].shape != wanted[k].shape
    ]
    unexpected = [k for k in state if k not in wanted and not _is_classifier(k)]
    if missing or shapes or unexpected:
        problems = [
            _some("missing", missing),
            _some("unexpected", unexpected),
            _some("of another shape", shapes),
        ]
        raise DataError(
            f"weights file {file} does not fit {type(net).__name__} "
            f"({len(wanted)} entries): {'; '.join(p for p in problems if p)}. "
            "Give the backbone that these weights were trained with."
        )
    broken = [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise DataError(f"weights file {file} holds values that are not finite: {broken[0]}")
    fitting = {k: v for k, v in state.items() if k in wanted}
    net.load_state_dict(_with_versions(fitting, state), strict=False)


def _with_versions(chosen: dict[str, Tensor], state: Any) -> dict[str, Tensor]:
    """Keep what torch notes beside a state dict: modules use it to read older files."""
    kept = OrderedDict(chosen)
    if hasattr(state, "_metadata"):
        kept._metadata = state._metadata  # type: ignore[attr-defined]  # torch's own way
    return kept


def _is_classifier(key: str) -> bool:
    """Parts of a published net that a backbone drops: its classifier and auxiliary outputs."""
    return key.split(".")[0] in {
        "classifier", "fc", "head", "heads", "head_dist", "last_linear",
        "aux1", "aux2", "AuxLogits",
    }  # fmt: skip


def _some(what: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return f"{len(items)} {what} ({', '.join(items[:3])}{more})"
