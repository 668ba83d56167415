"""Weights as the compiled core wants them: packed once, shared by the plans of all batch sizes."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from darter.conv import ALGORITHMS, ConvSpec
from darter.kernels import (
    Activated,
    Precision,
    RecurrenceKind,
    prepare_convolution,
    round_rows_bfloat16,
    steps,
)
from darter.locks import Lock
from darter.net.plan.algorithm import algorithm_for, for_pictures
from darter.net.plan.options import Options

Key = tuple[Hashable, ...]
Layer = TypeVar(
    "Layer",
    steps.Convolution,
    steps.FullyConnected,
    steps.Recurrence,
    steps.BinaryConvolution,
    steps.IntegerConvolution,
)
ROUNDED = "direct-bfloat16"  # rounds the filters themselves, no transforms of them
SEVERAL = 8  # pictures, for which algorithms of all batches above 1 are chosen


class Packed:
    """Packed weights by what they were made of. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[Key, Any] = {}
        self._chosen: dict[tuple[ConvSpec, Options], str] = {}
        self._lock = Lock()

    def algorithm(self, spec: ConvSpec, options: Options) -> str:
        """Which algorithm computes a convolution: chosen once for a single picture, once for all
        larger batches, so that these share their packed weights."""
        typical = for_pictures(spec, 1 if spec.x[0] == 1 else SEVERAL)
        key = (typical, options)
        if key not in self._chosen:
            self._chosen[key] = algorithm_for(typical, options)
        return self._chosen[key]

    def convolution(
        self,
        names: tuple[str, str],
        algorithm: str,
        spec: ConvSpec,
        weight: Callable[[str], NDArray[np.float32]],
        activation: Activated,
    ) -> steps.Convolution:
        """The core's convolution for some batch size: `placed` makes it one for another.

        names: of the filters and biases, which tell nodes of the same shape apart.   algorithm: a
        key of ALGORITHMS, or a `border_algorithm`.   weight: name -> array, asked only for what is
        not packed yet.
        """

        def pack() -> steps.Convolution:
            w, b = (np.ascontiguousarray(weight(name), np.float32) for name in names)
            core = ALGORITHMS[algorithm].core if algorithm in ALGORITHMS else algorithm
            w = w.reshape(spec.w)
            if core == ROUNDED:
                w = round_rows_bfloat16(w)
            return prepare_convolution(core, spec.numbers(), w, b, activation)

        geometry = (spec.x[1:], spec.stride, spec.padding, spec.dilation, spec.groups)
        return self._make(("conv", names, algorithm, geometry, activation), pack)

    def fully_connected(
        self,
        names: tuple[str, str],
        weight: Callable[[str], NDArray[np.float32]],
        activation: Activated,
        precision: Precision,
    ) -> steps.FullyConnected:
        """Likewise of a matrix (K, C) with any trailing axes of size 1."""

        def pack() -> steps.FullyConnected:
            w, b = (np.ascontiguousarray(weight(name), np.float32) for name in names)
            k, c = w.shape[:2]
            if precision == Precision.bfloat16:
                w = round_rows_bfloat16(w)
            return steps.pack_fully_connected(c, k, w.reshape(k, c), b, activation, precision)

        return self._make(("fc", names, activation, precision), pack)

    def binary(
        self, key: Key, pack: Callable[[], steps.BinaryConvolution]
    ) -> steps.BinaryConvolution:
        """key: of the weights and the geometry."""
        return self._make(("binary", *key), pack)

    def integer(
        self, key: Key, pack: Callable[[], steps.IntegerConvolution]
    ) -> steps.IntegerConvolution:
        """Likewise of integers."""
        return self._make(("integer", *key), pack)

    @property
    def is_empty(self) -> bool:
        return not self._kept

    def recurrent(
        self, names: tuple[str, ...], kind: str, r: NDArray[np.float32], b: NDArray[np.float32]
    ) -> steps.Recurrence:
        """r: (gates * hidden, hidden), b: (hidden,)"""
        arrays = [np.ascontiguousarray(each, np.float32) for each in (r, b)]
        return self._make(
            ("recurrent", names, kind),
            lambda: steps.pack_recurrent(RecurrenceKind[kind], r.shape[1], *arrays),
        )

    @property
    def bytes(self) -> int:
        return sum(layer.weight_bytes for layer in self._kept.values())

    def _make(self, key: Key, make: Callable[[], Layer]) -> Layer:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            return self._kept[key]
