"""Batches, and the memory that they are written to again and again."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.locks import Lock

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DTYPES: dict[str, type[np.generic]] = {  # numpy has no bfloat16: its bits are kept
    "float32": np.float32,
    "bfloat16": np.uint16,
    "uint8": np.uint8,
}


class Event(Protocol):
    """What `torch.cuda.Event` is: a place in a device's queue of work."""

    def query(self) -> bool:
        """Whether the device has come that far."""
        ...


@dataclass(eq=False)
class Slot:
    """Memory of one batch after another.   copies: events behind copies of it to a device."""

    memory: NDArray[Any]
    copies: list[Event] = field(default_factory=list)

    def is_read(self) -> bool:
        """Whether a device still copies from it."""
        return not all(copy.query() for copy in self.copies)


@dataclass(frozen=True)
class Batch:
    """images: (N, 3, height, width) float32, uint8, or uint16 with the bits of bfloat16.

    targets: what the samples' are, one row or number per picture: int64 (N,) where each has one
    label, float32 (N, classes) where it may have several,
    float32 (N, most, 6) for boxes (see `BoxLoader`).   indices: into the samples, int64 (N,).
    """

    images: NDArray[Any]
    targets: NDArray[Any]
    indices: NDArray[np.int64]
    slot: Slot | None = field(default=None, repr=False, compare=False)  # pinned memory of `images`

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """images, targets"""
        return iter((self.images, self.targets))

    def tensors(self, device: Any = "cpu") -> "tuple[Tensor, Tensor]":
        """(images, targets) as torch's tensors on a device; on "cpu" the memory is shared.

        Batches of a loader with `pin` are copied to a CUDA device while the program goes on; their
        memory is not written to before that has ended.
        """
        import torch

        images = torch.from_numpy(self.images)
        if images.dtype == torch.uint16:
            images = images.view(torch.bfloat16)
        targets = torch.from_numpy(self.targets)
        moved = images.to(device, non_blocking=True), targets.to(device, non_blocking=True)
        if self.slot is not None and moved[0].device.type != "cpu":
            self.slot.copies.append(_event_behind(moved[0].device))
        return moved


def _event_behind(device: "torch.device") -> Event:
    """One that comes after all that the program has told the device so far."""
    import torch

    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(device))
    return event


class Slots:
    """Memory for batches, used again once nobody but this pool refers to it and no device reads it.

    A device reads pinned memory by itself, long after the program has let go of the batch.
    """

    KEPT = 8

    def __init__(
        self, sides: tuple[int, int], batch_size: int, dtype: str, channels_last: bool, pin: bool
    ) -> None:
        if dtype not in DTYPES:
            raise OptionError(f"loader: dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        self.sides, self.channels_last = sides, channels_last
        self.allocate = _pinned if pin else _plain
        self.length, self.dtype = batch_size * 3 * sides[0] * sides[1], np.dtype(DTYPES[dtype])
        if pin:
            _check_cuda()
        self.pinned = pin
        self.pool: list[Slot] = []
        self.lock = Lock()
        probe = Slot(np.empty(1))
        self.unused = sys.getrefcount(probe.memory)

    def batch(self, targets: NDArray[Any], indices: NDArray[np.int64]) -> Batch:
        """A batch whose images, (len(indices), 3, height, width), are not initialized."""
        count, (height, width) = len(indices), self.sides
        slot, memory = self._free()
        flat = memory[: count * 3 * height * width]
        if self.channels_last:
            images = flat.reshape(count, height, width, 3).transpose(0, 3, 1, 2)
        else:
            images = flat.reshape(count, 3, height, width)
        return Batch(images, targets, indices, slot if self.pinned else None)

    def _free(self) -> tuple[Slot, NDArray[Any]]:
        """A slot that nobody uses, and its memory, which from now on is in use."""
        # Every view, tensor or slice of a batch refers to the array that owns the memory.
        with self.lock:
            for slot in self.pool:
                if not self._is_used(slot):
                    slot.copies.clear()
                    return slot, slot.memory
            made = Slot(self.allocate(self.length, self.dtype))
            # A device may read pinned memory after its batch has gone: those in use must stay.
            stay = [slot for slot in self.pool if self.pinned and self._is_used(slot)]
            others = [slot for slot in self.pool if slot not in stay]
            self.pool = [*stay, *others[1 - self.KEPT :], made]
            return made, made.memory

    def _is_used(self, slot: Slot) -> bool:
        return sys.getrefcount(slot.memory) > self.unused or slot.is_read()


def _plain(length: int, dtype: np.dtype) -> NDArray[Any]:
    return np.empty(length, dtype)


def _check_cuda() -> None:
    try:
        import torch
    except ImportError as error:
        raise OptionError("loader: pin needs PyTorch; leave pin out") from error
    if not torch.cuda.is_available():
        raise OptionError("loader: pin is for CUDA, and no CUDA device is here; leave pin out")


def _pinned(length: int, dtype: np.dtype) -> NDArray[Any]:
    """Memory that CUDA has locked in its place."""
    import torch

    # No view: what is cut from this array must refer to it, see `Slots._free`.
    return torch.empty(length, dtype=getattr(torch, dtype.name), pin_memory=True).numpy()
