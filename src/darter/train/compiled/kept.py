"""Memory of gradients, used again step after step: new pages cost more than what is computed into
them."""

import sys
from typing import Any

import torch
from torch import Tensor

_ALONE = 2  # references to an array that only its Kept knows: its own, and the one that asks


class Kept:
    """The memory of one tensor, lent anew once all tensors in it are gone."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._array: Any = None

    def tensor(self) -> Tensor:
        """Not initialized. Memory that somebody still holds, by any view, is left to them.

        A tensor made of an array holds a reference to it for as long as its storage lives.
        """
        if self._array is None or sys.getrefcount(self._array) > _ALONE:
            self._array = torch.empty(self._shape).numpy()
        return torch.from_numpy(self._array)
