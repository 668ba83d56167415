"""The probes on one data set: cross-validated on training pictures, each measurement once."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model import Task
from darter.transfer.features import Features
from darter.transfer.journal import Journal
from darter.transfer.probe import CLASSIFY, Probe, find_strength, fit_probe, folds_for
from darter.transfer.records import Trial, paired

FOLDS = 5
_PROBE_SHARE = 0.15  # of the budget, for cross-validating one kind of probe


@dataclass
class Bench:
    """Features, targets and folds of the training pictures.

    kinds: of which every fold has its share (see `Task.strata`).
    """

    features: Features
    targets: NDArray[Any]
    groups: NDArray[np.int64]
    classes: int
    seed: int
    journal: Journal
    budget_seconds: float
    task: Task = CLASSIFY
    kinds: NDArray[np.int64] = field(init=False)
    folds: list[tuple[NDArray, NDArray]] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = self.task.strata(self.targets)
        self.folds = folds_for(self.kinds, self.groups, FOLDS, self.seed)

    @property
    def pictures_per_class(self) -> float:
        return len(self.targets) / self.classes

    @property
    def chance(self) -> float:
        """How right the same answer for every picture is: the commonest labels first."""
        common = self.task.dense(self.targets, self.classes).mean(axis=0)
        same = np.broadcast_to(common, (len(self.targets), self.classes))
        return float(self.task.rightness(same, self.targets).mean())

    def strength(self, layers: str, pictures: int) -> float:
        """The probe's penalty for so many pictures: found once, weaker the more there are."""
        train, _ = self.folds[0]

        def find() -> dict[str, float]:
            strength = find_strength(
                self._rows(layers, train),
                self.targets[train],
                self.classes,
                task=self.task,
                groups=self.groups[train],
                seed=self.seed,
            )
            return {"l2": strength}

        found = self.journal.measure(f"strength {layers}", find)["l2"]
        return found * len(train) / pictures

    def penalties(self) -> dict[str, float]:
        """What `strength` is for one picture, by the layers of the probes measured so far."""
        known = [n for n in ("last", "all") if f"strength {n}" in self.journal.entries]
        return {layers: self.strength(layers, 1) for layers in known}

    def _rows(self, layers: str, positions: NDArray) -> NDArray[np.float32]:
        return self.features.take(positions).read(layers)

    def fit(self, layers: str, train: NDArray, *, mirror: bool = False) -> Probe:
        """A probe learned from these pictures, and from their mirror images where asked."""
        part = self.features.take(train)
        mirrored = part.mirrored.read(layers) if mirror and part.mirrored else None
        return fit_probe(
            part.read(layers),
            self.targets[train],
            self.classes,
            task=self.task,
            mirrored=mirrored,
            l2=self.strength(layers, len(train)),
        )

    def probe(
        self, layers: str, fold: int, train: NDArray, held: NDArray, *, mirror: bool = False
    ) -> Trial:
        """Which held-out pictures a probe gets right that learned from `train`, both drawn from
        a fold by `draw` or whole: their numbers say which."""

        def run() -> Trial:
            probe = self.fit(layers, train, mirror=mirror)
            return self.score(probe, self._rows(layers, held), held)

        self.strength(layers, len(train))
        kind = f"{layers} mirrored" if mirror else layers
        key = f"probe {kind}: fold {fold} train {len(train)} held {len(held)}"
        return self.journal.trial(key, run, timed=True)

    def score(self, probe: Probe, rows: NDArray, held: NDArray) -> Trial:
        logits, targets = probe.logits(rows), self.targets[held]
        loss = float(self.task.losses(logits, targets).mean())
        return Trial(self.task.rightness(logits, targets), 0.0, loss)

    def check_mirror(self) -> tuple[bool, str]:
        """Whether training may flip pictures, and what was seen.

        A probe that has never seen a mirror image is shown the mirror images of held-out
        pictures. Where they mean something else (left and right, some letters) it fails. Then
        probes on all layers learn from mirror images too: where that clearly harms, it is better
        to see pictures the way they always stand.
        """
        mirrored = self.features.mirrored
        if mirrored is None:
            return True, "mirror images were not looked at"
        train, held = self.folds[0]
        self.strength("last", len(train))
        rows = {"straight": self.features.last, "flipped": mirrored.last}
        a, b = (self._shown(train, held, name, shown) for name, shown in rows.items())
        loss, error = paired(a.correct, b.correct)
        seen = f"accuracy {a.accuracy:.1%} on held-out pictures, {b.accuracy:.1%} on their mirrors"
        if loss > max(0.05, 2 * error):
            return False, f"a mirror image does not keep its label ({seen}): flips are harmful here"
        gain, error = paired(
            self.cross_validate("all", mirror=True).correct, self.cross_validate("all").correct
        )
        also = f"{100 * gain:+.1f} ± {100 * error:.1f} points by learning from mirrors too"
        if gain < -error:
            return False, f"a mirror image keeps its label ({seen}), but flips are harmful ({also})"
        return True, f"a mirror image keeps its label ({seen}; {also})"

    def _shown(self, train: NDArray, held: NDArray, name: str, rows: NDArray) -> Trial:
        def run() -> Trial:
            return self.score(self.fit("last", train), rows[held], held)

        return self.journal.trial(f"mirror: {name}", run, timed=True)

    def cross_validate(self, layers: str, *, mirror: bool = False) -> Trial:
        """Held out once each, in as many folds as the budget has room for, at least one.

        Probes of the last and of all layers are measured on the same folds.
        """
        first = self.probe("last", 0, *self.folds[0])
        room = int(_PROBE_SHARE * self.budget_seconds / max(first.seconds, 1e-9))
        used = self.folds[: max(1, room)]
        trials = [self.probe(layers, i, *fold, mirror=mirror) for i, fold in enumerate(used)]
        return joined(trials)

    def draw(self, fold: int, train: int, held: int) -> tuple[NDArray, NDArray]:
        """Stratified subsets of a fold: positions of pictures to learn from and to hold out."""
        full_train, full_held = self.folds[fold]
        return (
            stratified(full_train, self.kinds, train, self.seed + fold),
            stratified(full_held, self.kinds, held, self.seed + fold),
        )


def joined(trials: list[Trial]) -> Trial:
    """Several folds as one trial."""
    correct = np.concatenate([t.correct for t in trials])
    losses = sum(t.loss * len(t.correct) for t in trials)
    return Trial(correct, sum(t.seconds for t in trials), losses / len(correct))


def stratified(positions: NDArray, labels: NDArray, count: int, seed: int) -> NDArray[np.int64]:
    """`count` of the positions, sorted, every class in its share and at least once if it can be.

    A larger count with the same seed holds every smaller one.
    """
    if count >= len(positions):
        return positions
    order = np.random.default_rng(seed).permutation(positions)
    share = np.empty(len(order))
    for label in np.unique(labels[order]):
        members = np.flatnonzero(labels[order] == label)
        share[members] = np.arange(len(members)) / len(members)
    return np.sort(order[np.argsort(share, kind="stable")[:count]])
