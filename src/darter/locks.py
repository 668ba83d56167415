"""Locks that the child of a fork finds open.

A thread that holds a lock while another one forks is not there in the child, where nobody would
ever release it. What such a lock guards must be whole between any two operations on it (one change
of one dict): the child sees it as it was at that moment.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class Lock:
    """`with lock:`, as of `threading.Lock`; open in the child of a fork, unless the very thread
    that forks holds it."""

    __slots__ = ("__weakref__", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()

    def _reopen(self) -> None:
        if self._owner != threading.get_ident():
            self._lock, self._owner = threading.Lock(), None


_locks: "weakref.WeakSet[Lock]" = weakref.WeakSet()


def _reopen_all() -> None:
    for lock in _locks:
        lock._reopen()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_all)


class cached_property(Generic[Value]):
    """As of functools, whose own has a lock before Python 3.12: one for all objects of a class,
    held while the value is computed. Here two threads may both compute; the first value stays."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "cached_property[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Value: ...

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return instance.__dict__.setdefault(self._name, self._compute(instance))
