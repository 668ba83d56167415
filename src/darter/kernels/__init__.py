"""Typed Python face of the compiled core: instruction sets, threads and every kernel."""

from darter.kernels.runtime import (
    active_isa,
    available_cpus,
    available_isas,
    has_avx512_bf16,
    set_threads,
    threads,
    using_isa,
    using_threads,
)
from darter.kernels.warp import BORDERS, mean_rgb, warp

__all__ = [
    "BORDERS",
    "active_isa",
    "available_cpus",
    "available_isas",
    "has_avx512_bf16",
    "mean_rgb",
    "set_threads",
    "threads",
    "using_isa",
    "using_threads",
    "warp",
]
