"""Which instruction set the kernels use, and how many threads.

`DARTER_ISA=scalar|avx2|avx512|amx|neon` in the environment forces an instruction set for a whole
process; one that this CPU lacks is an OptionError at import.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

from darter.errors import OptionError
from darter.kernels import _core
from darter.machine import available_cpus
from darter.names import visible

MOST_THREADS: int = _core.MOST_THREADS


def available_isas() -> list[str]:
    """Instruction sets that this CPU has, from slowest ("scalar") to fastest."""
    return _core.available_isas()


def active_isa() -> str:
    """The instruction set that kernels use now."""
    return _core.active_isa()


def has_avx512_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX-512 BF16)."""
    return _core.has_avx512_bf16()


def has_bfloat16() -> bool:
    """Whether the kernels in use read, multiply and write bfloat16 in hardware."""
    return has_avx512_bf16() and active_isa() in ("avx512", "amx")


def has_integers() -> bool:
    """Whether the kernels in use multiply 8-bit integers many at a time; elsewhere (plain code, and
    Arm so far) float32 is the faster way to compute a quantized file."""
    return active_isa() in ("avx2", "avx512", "amx")


@contextmanager
def using_isa(name: str) -> Iterator[None]:
    """Run the block with one instruction set, in every thread; OptionError if the CPU lacks it."""
    before = _core.active_isa()
    _set_isa(name)
    try:
        yield
    finally:
        _core.set_isa(before)


def _set_isa(name: str) -> None:
    try:
        _core.set_isa(visible(name))
    except ValueError as error:
        raise OptionError(str(error)) from None


def _obey_environment() -> None:
    forced = os.environ.get("DARTER_ISA")
    if not forced:
        return
    try:
        _set_isa(forced)
    except OptionError as error:
        raise OptionError(
            f"DARTER_ISA={visible(forced)}: {error}. Unset it for the fastest."
        ) from None


def threads() -> int:
    """Threads that kernels use, the caller included; those of `machine` at first."""
    return _core.threads()


def set_threads(count: int) -> None:
    """Let kernels use `count` threads, or as many as the system gives. OptionError below 1 and
    above MOST_THREADS."""
    if not isinstance(count, Integral) or not 1 <= count <= MOST_THREADS:
        raise OptionError(f"threads: expected a number from 1 to {MOST_THREADS}, got {count!r}")
    _core.set_threads(int(count))


def wake_threads() -> None:
    """Wake the pool's sleeping threads, as the layers before do inside a net; takes 0.2 ms."""
    _core.wake_threads()


@contextmanager
def using_at_most(count: int) -> Iterator[None]:
    """Let kernels that this Python thread calls in the block use no more than `count` threads."""
    limit = _core.ThreadLimit(count)
    try:
        yield
    finally:
        del limit


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Run the block with `count` threads in the kernels' pool."""
    before = _core.pool_threads()
    set_threads(count)
    try:
        yield
    finally:
        _core.set_threads(before)


_obey_environment()
_core.set_threads(min(available_cpus(), MOST_THREADS))
