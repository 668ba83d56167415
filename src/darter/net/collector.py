"""Python's collector of cycles, which rests while a graph is read, changed and planned.

A graph is tens of thousands of small objects that all stay. The collector would go through all of
them again and again while they come, and find nothing: four tenths of the time for a large net.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_resting: set[object] = set()  # calls that found the collector running and stopped it


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let no thread collect cycles meanwhile; where calls overlap, until the first is done."""
    if not gc.isenabled():
        yield
        return
    me = object()
    _resting.add(me)
    gc.disable()
    try:
        yield
    finally:
        _resting.discard(me)
        gc.enable()


def _wake_in_child() -> None:
    """The thread that would start it again is not there in the child of another's fork."""
    if _resting:
        _resting.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake_in_child)
