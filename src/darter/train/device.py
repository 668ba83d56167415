"""Where and how a run computes: device, threads, precision, repeatable algorithms."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.errors import OptionError
from darter.kernels import using_threads
from darter.machine import available_cpus, keeping_freed

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first of cuda, mps and cpu that is there.

    Raises OptionError, with those that are, for one that is not.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there[name]:
        present = ", ".join(device for device, is_there in there.items() if is_there)
        raise OptionError(f"device {name!r} is not there; this machine has: {present}")
    return torch.device(name)


def candidate_precisions(device: torch.device, precision: str) -> tuple[str, ...]:
    """What to measure on this device; one entry where there is nothing to choose.

    Raises OptionError for float16 on a CPU.
    """
    if precision == "float16" and device.type == "cpu":
        raise OptionError('precision "float16" needs a GPU; a CPU has "bfloat16" and "float32"')
    if precision != "auto":
        return (precision,)
    if device.type == "cuda":
        half = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return ("float32", half)
    return ("float32", "bfloat16") if device.type == "cpu" else ("float32",)


def casting(device: torch.device, precision: str) -> AbstractContextManager:
    """Mixed precision for a forward pass; float32 and fixed point need none."""
    if precision not in ("bfloat16", "float16"):
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


@contextmanager
def computing(device: torch.device, threads: int | str) -> Iterator[int]:
    """Within the block these threads compute, torch repeatably and with its own random state.

    On a CPU, memory that a step frees is kept for the next one.
    threads: a number, or "auto" for every core that this process may use. Yields the number.
    On a CPU an operation without a repeatable algorithm is an error; on a GPU, a warning.
    """
    before = torch.get_num_threads()
    repeatable = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    count = available_cpus() if threads == "auto" else int(threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    try:
        torch.set_num_threads(count)
        torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
        memory = keeping_freed() if device.type == "cpu" else nullcontext()
        with torch.random.fork_rng(gpus), using_threads(count), memory:
            yield count
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(repeatable, warn_only=warns)


def move(model: nn.Module, device: torch.device, channels_last: bool) -> None:
    """Bring the model to the device, its weights in that memory order."""
    order = torch.channels_last if channels_last else torch.contiguous_format
    model.to(device).to(memory_format=order)


def place(images: NDArray[np.float32], device: torch.device, channels_last: bool) -> Tensor:
    """A batch of pictures (N, C, H, W) on the device, in that memory order."""
    order = torch.channels_last if channels_last else torch.contiguous_format
    return torch.from_numpy(images).to(device).clone(memory_format=order)


def wait(device: torch.device) -> None:
    """Until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()
