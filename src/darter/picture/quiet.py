"""Silence Pillow's warnings about single files: darter reports them as findings."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from darter.locks import Lock

_lock = Lock()
_inside = 0
_filter: tuple | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignore warnings that PIL's modules raise, in all threads, until the last one leaves.

    `warnings.catch_warnings` is not safe in threads: it may restore the filters of another one.
    """
    global _inside, _filter
    with _lock:
        _inside += 1
        if _inside == 1:
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _filter = warnings.filters[0]
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _filter in warnings.filters:
                warnings.filters.remove(_filter)  # type: ignore[attr-defined]  # it is a list
