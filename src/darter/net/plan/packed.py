"""Weights as the compiled core wants them: packed once, shared by the plans of all batch sizes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.conv import ALGORITHMS, ConvSpec
from darter.kernels import Named, prepare_convolution, steps
from darter.locks import Lock


class Packed:
    """Packed weights by what they were made of. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._lock = Lock()

    def convolution(
        self,
        names: tuple[str, ...],
        algorithm: str,
        spec: ConvSpec,
        w: NDArray[np.float32],
        b: NDArray[np.float32],
        activation: Named,
    ) -> Any:
        """The core's convolution for some batch size: `placed` makes it one for another.

        names: of the weights, which tell nodes of the same shape apart.   algorithm: see
        `algorithm_of`.
        """
        geometry = (spec.x[1:], spec.stride, spec.padding, spec.dilation, spec.groups)
        key = ("conv", names, algorithm, geometry, activation)
        return self._make(
            key,
            lambda: prepare_convolution(
                ALGORITHMS[algorithm].core if algorithm in ALGORITHMS else algorithm,
                spec.numbers(),
                np.ascontiguousarray(w, np.float32),
                np.ascontiguousarray(b, np.float32),
                activation,
            ),
        )

    def fully_connected(
        self,
        names: tuple[str, ...],
        w: NDArray[np.float32],
        b: NDArray[np.float32],
        activation: Named,
        bfloat16: bool,
    ) -> Any:
        """w: (K, C) with any trailing axes of size 1."""
        k, c = w.shape[:2]
        return self._make(
            ("fc", names, activation, bfloat16),
            lambda: steps.pack_fully_connected(
                c,
                k,
                np.ascontiguousarray(w, np.float32).reshape(k, c),
                np.ascontiguousarray(b, np.float32),
                activation,
                bfloat16,
            ),
        )

    @property
    def bytes(self) -> int:
        return sum(layer.weight_bytes for layer in self._kept.values())

    def _make(self, key: tuple[Any, ...], make: Any) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            return self._kept[key]
