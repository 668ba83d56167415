"""What one model file may take while it is read and planned: memory and time, each counted once.

Every limit on a single tensor can be kept a thousand times in one file. So whatever the file asks
for is taken from one `Budget`, which is made when the file is read and passed down.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from darter.errors import ModelFileError

GIB = 1 << 30
TRUST = (
    "A net that was exported does not ask for that: the file is damaged or hostile. "
    "If you trust it, simplify it (onnxsim), or run it with --runtime onnxruntime."
)


@dataclass(frozen=True)
class Limits:
    """made_bytes: of constants that are worked out, and of lists of places and channels, beyond
    `per_byte` times the file's own weights.   seconds: of one thread's work, in reading,
    translating and the passes, and again in each plan.   multiply_adds: for one picture; the
    largest nets that have been published need a fifth of it.
    """

    made_bytes: int = GIB
    per_byte: int = 8
    seconds: float = 60.0
    multiply_adds: int = 5 * 10**12


LIMITS = Limits()


class Budget:
    """Counts what is taken, and raises ModelFileError where it is too much.

    weight_bytes: of the file's own weights, which give room for what is made of them.
    clock: seconds of work; that of the thread, so that a busy machine does not count.
    """

    def __init__(
        self,
        weight_bytes: int = 0,
        limits: Limits = LIMITS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.limits = limits
        self.made_bytes = 0
        self._most_bytes = limits.made_bytes + limits.per_byte * weight_bytes
        self._clock = clock or time.thread_time
        self._begun = self._clock()

    def make(self, count: int, what: str) -> None:
        """Take bytes for something that is about to be made, or was just made."""
        self.made_bytes += count
        if self.made_bytes > self._most_bytes:
            raise ModelFileError(
                f"{what} would take its constants to {self.made_bytes / GIB:.1f} GiB; darter's "
                f"limit for this file is {self._most_bytes / GIB:.1f} GiB. {TRUST}"
            )

    def check_time(self, doing: str) -> None:
        """Raise if the work so far took too long."""
        taken = self._clock() - self._begun
        if taken > self.limits.seconds:
            raise ModelFileError(
                f"{doing} has taken {taken:.0f} s; darter's limit is {self.limits.seconds:.0f} s. "
                f"{TRUST}"
            )

    def check_work(self, multiply_adds: int) -> None:
        """Raise if a picture would need more than any net that is meant to be used."""
        if multiply_adds > self.limits.multiply_adds:
            raise ModelFileError(
                f"one picture would need {multiply_adds:.1e} multiply-adds; darter's limit is "
                f"{self.limits.multiply_adds:.0e}. {TRUST}"
            )


@contextmanager
def enough_memory(doing: str) -> Iterator[None]:
    """Turn a MemoryError into a ModelFileError that says what there was no memory for."""
    try:
        yield
    except MemoryError:
        raise ModelFileError(
            f"there is not enough memory for {doing}: close other programs, give smaller pictures "
            "or fewer at a time, or use a smaller net"
        ) from None
