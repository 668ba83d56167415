"""Batches, and the memory that they are written to again and again."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.locks import Lock

if TYPE_CHECKING:
    from torch import Tensor

DTYPES: dict[str, type[np.generic]] = {  # numpy has no bfloat16: its bits are kept
    "float32": np.float32,
    "bfloat16": np.uint16,
    "uint8": np.uint8,
}


@dataclass(frozen=True)
class Batch:
    """images: (N, 3, size, size) float32, uint8, or uint16 with the bits of bfloat16.

    targets: what the samples' are, one row or number per picture: int64 (N,) where each has one
    label, float32 (N, classes) where it may have several.   indices: into the samples, int64 (N,).
    """

    images: NDArray[Any]
    targets: NDArray[Any]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """images, targets"""
        return iter((self.images, self.targets))

    def tensors(self, device: Any = "cpu") -> "tuple[Tensor, Tensor]":
        """(images, targets) as torch's tensors on a device; on "cpu" the memory is shared.

        Batches of a loader with `pin` are copied to a CUDA device while the program goes on.
        """
        import torch

        images = torch.from_numpy(self.images)
        if images.dtype == torch.uint16:
            images = images.view(torch.bfloat16)
        targets = torch.from_numpy(self.targets)
        return images.to(device, non_blocking=True), targets.to(device, non_blocking=True)


class Slots:
    """Memory for batches, used again once nobody but this pool refers to it."""

    KEPT = 8

    def __init__(
        self, size: int, batch_size: int, dtype: str, channels_last: bool, pin: bool
    ) -> None:
        if dtype not in DTYPES:
            raise OptionError(f"loader: dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        self.size, self.channels_last = size, channels_last
        self.allocate = _pinned if pin else _plain
        self.length, self.dtype = batch_size * 3 * size * size, np.dtype(DTYPES[dtype])
        if pin:
            _check_cuda()
        self.pool: list[NDArray[Any]] = []
        self.lock = Lock()
        probe = [np.empty(1)]
        self.unused = sys.getrefcount(probe[0])

    def take(self, count: int) -> NDArray[Any]:
        """(count, 3, size, size), not initialized."""
        size = self.size
        flat = self._free()[: count * 3 * size * size]
        if self.channels_last:
            return flat.reshape(count, size, size, 3).transpose(0, 3, 1, 2)
        return flat.reshape(count, 3, size, size)

    def _free(self) -> NDArray[Any]:
        # Every view, tensor or slice of a batch refers to the array that owns the memory.
        with self.lock:
            for i in range(len(self.pool)):
                if sys.getrefcount(self.pool[i]) <= self.unused:
                    return self.pool[i]
            made = self.allocate(self.length, self.dtype)
            self.pool = [*self.pool[1 - self.KEPT :], made]
            del made
            return self.pool[-1]


Allocate = Callable[[int, np.dtype], NDArray[Any]]


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
