"""A net's weights, of which the large ones are let go once they are packed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL = 1 << 16  # bytes; smaller weights are kept, so that another plan needs nothing again


class Weights(Mapping[str, NDArray[Any]]):
    """name -> array. What was dropped is had again, all at once, where it is asked for.

    again: gives every weight anew.   shapes: of all weights, dropped or not.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], again: Callable[[], Mapping[str, NDArray[Any]]]
    ) -> None:
        self.shapes = {name: array.shape for name, array in arrays.items()}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._again = again
        self._keep(arrays)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays and name in self.shapes:
            self._keep(self._again())
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def held(self) -> int:
        """How many weights are in memory."""
        return len(self._arrays)

    def drop(self, name: str) -> bool:
        """Let go of a large weight; whether it was there."""
        array = self._arrays.get(name)
        if array is None or array.nbytes <= SMALL:
            return False
        del self._arrays[name]
        return True

    def drop_all(self) -> None:
        """Let go of every large weight."""
        for name in self.shapes:
            self.drop(name)

    def _keep(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name in self.shapes:
            array = arrays[name]
            # A copy of a small one does not hold the pages of the file that it lies in.
            self._arrays[name] = np.array(array) if array.nbytes <= SMALL else array
