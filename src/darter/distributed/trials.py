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

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._pool: Pool[TrialCall, Trial] | None = None
        self._asked: dict[Any, Asked] = {}
        self._told = False

    def start(self) -> None:
        """Have the workers start, while other work goes on here."""
        if self._pool is None:
            self._pool = Pool(None, self._workers, imports=("darter.train",), in_hand=1)

    def take(self, trials: Trials) -> None:
        self._trials = trials

    def __call__(self, *call: Any) -> Trial:
        asked = self._asked.pop(_key(call), None)
        if asked is None or self._pool is None:
            return self._trials(*call)
        return self._pool.result(asked)

    def ahead(self, calls: Sequence[TrialCall]) -> None:
        """Begin with these, which are asked for next; earlier ones are wanted no more."""
        if not calls and not self._asked:
            return
        self.start()
        assert self._pool
        if not self._told:  # now: the first training, here, has settled what all share
            self._pool.give(partial(_trying, self._trials))
            self._told = True
        wanted = {_key(call): call for call in calls}
        for key in [key for key in self._asked if key not in wanted]:
            self._pool.forget(self._asked.pop(key))
        for key, call in wanted.items():
            if key not in self._asked:
                self._asked[key] = self._pool.submit(call)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()


Share = Callable[[Trials], tuple[Callable[..., Trial], Callable[[Sequence[TrialCall]], None]]]


@contextmanager
def on_workers(workers: Workers | None, *, at_once: bool = False) -> Iterator[Share]:
    """Makes of trials what `darter.transfer.choose` takes as `trial` and `ahead`.

    at_once: the workers start now, and not with the first training that is announced.
    """
    if workers is None:
        yield lambda trials: (trials, lambda calls: None)
        return
    shared = SharedTrials(workers)

    def share(trials: Trials) -> Any:
        shared.take(trials)
        return shared, shared.ahead

    try:
        if at_once:
            shared.start()
        yield share
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
