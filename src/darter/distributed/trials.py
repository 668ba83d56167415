"""The short trainings of the race, side by side on several processes or machines."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from darter.cluster import Asked, Pool, Workers
from darter.train import Trials
from darter.transfer import Ahead, Trial, TrialCall, TrialFunction

WARM_UP = 16  # pictures of a worker's first training, which is not timed


class SharedTrials:
    """`Trials` on workers, as many at a time as there are.

    Trainings that are announced run there; others here, as the first one, which measures what all
    share. A training whose worker dies is done again by another. Each has as many threads wherever
    it runs, since sums depend on their number: it gives the same bits, and its time tells what it
    takes there.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._pool: Pool[TrialCall, Trial] | None = None
        self._asked: dict[Hashable, Asked] = {}
        self._told = False
        self._trials: Trials | None = None  # with the threads of a worker

    def start(self) -> Pool[TrialCall, Trial]:
        """Have the workers start, while other work goes on here."""
        if self._pool is None:
            self._pool = Pool(None, self._workers, imports=("darter.train",), in_hand=1)
        return self._pool

    def take(self, trials: Trials) -> None:
        self._given, self._trials = trials, None

    def __call__(self, call: TrialCall) -> Trial:
        pool = self.start()
        asked = self._asked.pop(call.key, None)
        return self._as_there(pool)(call) if asked is None else pool.result(asked)

    def ahead(self, calls: Sequence[TrialCall]) -> None:
        """Begin with these, which are asked for next; earlier ones are wanted no more."""
        if not calls and not self._asked:
            return
        pool = self.start()
        if not self._told:  # now: the first training, here, has settled what all share
            pool.give(partial(_trying, self._as_there(pool)))
            self._told = True
        wanted = {call.key: call for call in calls}
        for key in [key for key in self._asked if key not in wanted]:
            pool.forget(self._asked.pop(key))
        for key, call in wanted.items():
            if key not in self._asked:
                self._asked[key] = pool.submit(call)

    def _as_there(self, pool: Pool[TrialCall, Trial]) -> Trials:
        if self._trials is None:
            self._trials = self._given.with_threads(pool.threads or "auto")
        return self._trials

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()


Share = Callable[[Trials], tuple[TrialFunction, Ahead]]


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


def _trying(trials: Trials, _threads: int | None) -> Callable[[TrialCall], Trial]:
    """What a worker does for each call."""
    warm = False

    def run(call: TrialCall) -> Trial:
        nonlocal warm
        if not warm:
            train, held_out = call.train[:WARM_UP], call.held_out[:WARM_UP]
            trials(replace(call, train=train, held_out=held_out, epochs=1))
            warm = True
        return trials(call)

    return run
