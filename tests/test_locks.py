"""What the child of a fork finds of locks that other threads held."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from darter.locks import Lock, cached_property

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def child_does(work: Callable[[], object]) -> bool:
    """Whether the child of a fork comes to the end of `work` within some seconds."""
    child = os.fork()
    if not child:
        signal.alarm(10)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Held:
    """A thread that is inside of something until the block ends."""

    def __init__(self, enter: Callable[[Callable[[], None]], object]) -> None:
        self._inside, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=enter, args=(self._stay,))

    def _stay(self) -> None:
        self._inside.set()
        self._leave.wait(60)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._inside.wait(10)

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()


def test_lock_of_another_thread_is_open_in_the_child():
    lock = Lock()

    def hold(stay: Callable[[], None]) -> None:
        with lock:
            stay()

    def use() -> None:
        for _ in range(2):
            with lock:
                pass

    with Held(hold):
        assert child_does(use)
    use()


def test_lock_of_the_thread_that_forks_stays_closed():
    lock = Lock()

    def is_closed() -> None:
        other = threading.Thread(target=lock.__enter__, daemon=True)
        other.start()
        other.join(0.05)
        assert other.is_alive()

    with lock:
        assert child_does(is_closed)


def test_cached_property_computes_once_and_has_no_lock():
    class Thing:
        computed = 0
        stay: Callable[[], None] = staticmethod(lambda: None)

        @cached_property
        def value(self) -> int:
            self.stay()
            self.computed += 1
            return self.computed

    assert (lambda one: (one.value, one.value))(Thing()) == (1, 1)
    slow, other = Thing(), Thing()

    def compute(stay: Callable[[], None]) -> None:
        slow.stay = stay  # type: ignore[method-assign]
        _ = slow.value

    with Held(compute):
        assert child_does(lambda: other.value)
