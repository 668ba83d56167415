"""Successive halving: many candidates for a short while, the better third for longer."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from darter.transfer.bench import Bench, joined
from darter.transfer.plan import EVALUATION, Cost, Rung, plan_rung, rungs_for, seconds_of, survivors
from darter.transfer.records import Ahead, Candidate, Trial, TrialCall, TrialFunction
from darter.transfer.strategies import Strategy

Progress = Callable[[str, float], None]
Part = tuple[NDArray[np.int64], NDArray[np.int64]]  # positions to train on, and held out

# Where the budget is too small for all, what is given up first.
_GIVEN_UP_FIRST = ("scratch", "fine-tune-first", "fine-tune-last", "fine-tune-all")
_STEP_PICTURES, _WARM_UP = 48, 16


class Race:
    """The candidates that train, under a budget; results go into the candidates' records.

    reserve: seconds of the budget that are kept for judging the probes beside the finalists.
    ahead: told of the trials that come next, so that they may run side by side.

    After `run`, `finalists` holds those of the last rung with their hits, and `rung` says how
    they were judged: the probes are to be judged on the same pictures.
    """

    def __init__(
        self,
        bench: Bench,
        candidates: Sequence[Candidate],
        trial: TrialFunction,
        progress: Progress,
        reserve: float = 0.0,
        ahead: Ahead = lambda calls: None,
    ) -> None:
        self.bench = bench
        self.reserve = reserve
        self.ahead = ahead
        self.entered = tuple(candidates)
        self.alive = list(candidates)
        self.trial = trial
        self.progress = progress
        self.costs: dict[str, Cost] = {}
        self.finalists: list[tuple[Candidate, NDArray[np.float64]]] = []
        self.judged: list[Part] = []  # (train, held out) of the last rung

    @property
    def remaining(self) -> float:
        return self.bench.budget_seconds - self.bench.journal.spent - self.reserve

    def run(self) -> None:
        self._measure_steps()
        number = 0
        while (rung := self._plan(first=number == 0)) is not None:
            last = rungs_for(len(self.alive)) == 1
            scores = self._run_rung(number, rung)
            if not scores:
                return
            self._eliminate(scores, rung, last)
            if last:
                return
            number += 1

    def _measure_steps(self) -> None:
        """What each strategy costs, from one short training.

        Another one goes before them: the very first also loads and measures what all share.
        """
        train, held = self.bench.draw(0, _STEP_PICTURES, _STEP_PICTURES // 3)
        if self.alive and self.remaining > 0:
            self._step("step: warm-up", self.alive[0].strategy, train[:_WARM_UP], held[:_WARM_UP])
        strategies = dict.fromkeys(c.strategy for c in self.alive)
        if self.remaining > 0:
            self._begin({f"step: {s.name}": self._step_call(s, train, held) for s in strategies})
        for strategy in strategies:
            if self.remaining <= 0:
                self._give_up(
                    strategy, "the time set aside for comparing was spent before it could be timed"
                )
                continue
            trial = self._step(f"step: {strategy.name}", strategy, train, held)
            self.costs[strategy.name] = _cost(trial, len(train), len(held))

    def _step(self, key: str, strategy: Strategy, train: NDArray, held: NDArray) -> Trial:
        self.progress(f"timing {strategy.name}", self._share())
        run = partial(self.trial, self._step_call(strategy, train, held))
        return self.bench.journal.trial(key, run)

    def _step_call(self, strategy: Strategy, train: NDArray, held: NDArray) -> TrialCall:
        rate = strategy.default_learning_rate
        return TrialCall(strategy, rate, train, held, epochs=1, seed=self.bench.seed)

    def _begin(self, calls: Mapping[str, TrialCall]) -> None:
        """Have those of the trials that are not in the journal begin."""
        known = self.bench.journal.entries
        self.ahead([call for key, call in calls.items() if key not in known])

    def _plan(self, first: bool) -> Rung | None:
        """The next rung, None where no time is left for one.

        Before the first, candidates are given up until the rest has enough time to be judged:
        learning rates but the middle one, then further rungs, which only make the judgement finer,
        and strategies last.
        """
        train, held = self._fold_sizes()
        while self.alive:
            planned = rungs_for(len(self.alive))
            fewest = planned if first and self._further_rates() else 1
            for rungs in range(planned, fewest - 1, -1):
                rung = plan_rung(
                    self.alive,
                    self.costs,
                    self.remaining / rungs,
                    train=train,
                    held=held,
                    folds=len(self.bench.folds),
                    classes=self.bench.classes,
                    last=rungs == 1,
                )
                if rung is not None:
                    return rung
            if not first:
                return None
            self._shrink()
        return None

    def _further_rates(self) -> list[Candidate]:
        return [c for c in self.alive if c.learning_rate != c.strategy.default_learning_rate]

    def _shrink(self) -> None:
        why = (
            f"the {self.bench.budget_seconds:.0f} s set aside for comparing are too few to judge it"
        )
        if others := self._further_rates():
            self._drop(others, f"{why}; only the middle learning rate was kept")
            return
        by_name = {c.strategy.name: c for c in self.alive}
        name = next((n for n in _GIVEN_UP_FIRST if n in by_name), self.alive[0].strategy.name)
        self._drop([by_name[name]], why)

    def _run_rung(self, number: int, rung: Rung) -> dict[Candidate, Trial]:
        """Fold by fold, so that an early end leaves all with the same held-out pictures."""
        trials: dict[Candidate, list[Trial]] = {}
        judged: list[Part] = []
        parts = [self.bench.draw(fold, rung.train, rung.held) for fold in range(rung.folds)]
        for fold, (train, held) in enumerate(parts):
            expected = {
                c: seconds_of(rung, c.strategy, self.costs[c.strategy.name]) for c in self.alive
            }
            if fold and self.remaining < sum(expected.values()):
                break
            # Those of later folds too, so that nobody waits for the slowest of this one.
            room = 1 + int(self.remaining / max(sum(expected.values()), 1e-9))
            self._begin(dict(
                self._trial_call(candidate, rung, parts[each], number, each)
                for each in range(fold, min(rung.folds, fold + room))
                for candidate in self.alive
            ))  # fmt: skip
            for candidate in self.alive:
                if self.remaining < 0.5 * expected[candidate]:
                    break
                self.progress(f"rung {number + 1}: {candidate.label}", self._share())
                call = self._trial_call(candidate, rung, (train, held), number, fold)
                trials.setdefault(candidate, []).append(self._run_trial(candidate, *call))
            if not trials:
                return {}
            judged.append((train, held))
        complete = {c: joined(t) for c, t in trials.items() if len(t) == len(judged)}
        self._drop(
            [c for c in self.alive if c not in complete],
            "the time set aside for comparing was spent before its turn",
        )
        self.judged = judged
        for candidate, score in complete.items():
            candidate.accuracy, candidate.pictures = score.accuracy, len(score.correct)
            candidate.rungs.append(
                {
                    "epochs": rung.epochs[candidate.strategy.name],
                    "folds": len(judged),
                    "pictures": rung.train,
                    "accuracy": score.accuracy,
                    "loss": score.loss,
                }
            )
        return complete

    def _run_trial(self, candidate: Candidate, key: str, call: TrialCall) -> Trial:
        trial = self.bench.journal.trial(key, partial(self.trial, call))
        candidate.seconds += trial.seconds
        trained = len(call.train) * call.epochs
        self.costs[call.strategy.name] = _cost(trial, trained, len(call.held_out))
        return trial

    def _trial_call(
        self, candidate: Candidate, rung: Rung, part: Part, number: int, fold: int
    ) -> tuple[str, TrialCall]:
        """Its key in the journal, and what is called."""
        strategy, rate, (train, held) = candidate.strategy, candidate.learning_rate, part
        epochs = rung.epochs[strategy.name]
        key = (
            f"trial: {strategy.name} rate {rate:g} rung {number} fold {fold} "
            f"epochs {epochs} train {len(train)} held {len(held)}"
        )
        return key, TrialCall(strategy, rate, train, held, epochs, self.bench.seed)

    def _eliminate(self, scores: dict[Candidate, Trial], rung: Rung, last: bool) -> None:
        """Rank by accuracy, then loss (a diverged training is last); keep the better third."""

        def merit(candidate: Candidate) -> tuple[float, float]:
            score = scores[candidate]
            return score.accuracy, -score.loss if math.isfinite(score.loss) else -math.inf

        order = sorted(scores, key=merit, reverse=True)
        self.alive = order if last else order[: survivors(len(order))]
        self.finalists = [(c, scores[c].correct) for c in self.alive]
        best = order[0]
        for candidate in order[len(self.alive) :]:
            epochs = rung.epochs[candidate.strategy.name]
            candidate.status = "eliminated"
            candidate.why = (
                f"{candidate.accuracy:.1%} against {best.accuracy:.1%} of {best.label} after "
                f"{epochs} epoch{'s' if epochs > 1 else ''} on {rung.train} pictures"
            )

    def _give_up(self, strategy: Strategy, why: str) -> None:
        self._drop([c for c in self.alive if c.strategy == strategy], why)

    def _drop(self, candidates: Sequence[Candidate], why: str) -> None:
        for candidate in candidates:
            candidate.status = "eliminated" if candidate.rungs else "not tried"
            candidate.why = why
        self.alive = [c for c in self.alive if c not in candidates]

    def _fold_sizes(self) -> tuple[int, int]:
        train, held = self.bench.folds[0]
        return len(train), len(held)

    def _share(self) -> float:
        return min(1.0, self.bench.journal.spent / max(self.bench.budget_seconds, 1e-9))


def _cost(trial: Trial, trained: int, judged: int) -> Cost:
    return Cost.of(trial.seconds, trained + EVALUATION * judged, trial.pace)
