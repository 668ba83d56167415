"""Work on several workers gives the same results in the same order, also when one dies."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from darter.cluster import spread
from darter.errors import DataError, MissingExtraError


def test_without_ray_the_error_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match="needs Ray: "):
        next(spread(len, [[1]], workers=2))


def squares(_threads, died: Path):
    def work(chunk):
        if 7 in chunk and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if 99 in chunk:
            raise DataError("99 cannot be squared")
        return [number**2 for number in chunk]

    return work


@pytest.mark.slow
def test_chunks_come_back_in_order_once_each_though_a_worker_is_killed(tmp_path):
    pytest.importorskip("ray")
    make = partial(squares, died=tmp_path / "died")
    chunks = [list(range(k, k + 3)) for k in range(0, 60, 3)]
    rows = [row for rows in spread(make, chunks, workers=2) for row in rows]
    assert (tmp_path / "died").exists()
    assert rows == [number**2 for number in range(60)]
    with pytest.raises(DataError, match="99 cannot be squared"):
        list(spread(make, [[1], [99]], workers=2))
