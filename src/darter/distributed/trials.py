"""The short trainings of the race, side by side on several processes or machines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from darter.cluster import Asked, Pool, Workers
from darter.train import Trials
from darter.transfer import Trial, TrialCall

WARM_UP = 16  # pictures of a worker's first training, which is not timed


class SharedTrials:
    """`Trials` on workers, as many at a time as there are.

    Trainings that are announced run there; others here, as the first one, which measures what all
    share. A training whose worker dies is done again by another.
    """

    def __init__(self, trials: Trials, workers: Workers) -> None:
        self._trials, self._workers = trials, workers
        self._pool: Pool[TrialCall, Trial] | None = None
        self._asked: dict[Any, Asked] = {}

    def __call__(self, *call: Any) -> Trial:
        asked = self._asked.pop(_key(call), None)
        if asked is None or self._pool is None:
            return self._trials(*call)
        return self._pool.result(asked)

    def ahead(self, calls: Sequence[TrialCall]) -> None:
        """Begin with these, which are asked for next; earlier ones are wanted no more."""
        if self._pool is None and calls:
            self._pool = Pool(partial(_trying, self._trials), self._workers)
        if self._pool is None:
            return
        for asked in self._asked.values():
            self._pool.forget(asked)
        self._asked = {_key(call): self._pool.submit(call) for call in calls}

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()


@contextmanager
def on_workers(
    trials: Trials, workers: Workers | None
) -> Iterator[tuple[Callable[..., Trial], Callable[[Sequence[TrialCall]], None]]]:
    """What `darter.transfer.choose` takes as `trial` and `ahead`."""
    if workers is None:
        yield trials, lambda calls: None
        return
    shared = SharedTrials(trials, workers)
    try:
        yield shared, shared.ahead
    finally:
        shared.close()


def _key(call: Any) -> tuple[Any, ...]:
    strategy, rate, train, held_out, epochs, seed = call
    return strategy.name, rate, train.tobytes(), held_out.tobytes(), epochs, seed


def _trying(trials: Trials, threads: int | None) -> Callable[[TrialCall], Trial]:
    """What a worker does for each call."""
    own = trials.with_threads(threads or "auto")
    warm = False

    def run(call: TrialCall) -> Trial:
        nonlocal warm
        if not warm:
            strategy, rate, train, held_out, _, seed = call
            own(strategy, rate, train[:WARM_UP], held_out[:WARM_UP], 1, seed)
            warm = True
        return own(*call)

    return run
