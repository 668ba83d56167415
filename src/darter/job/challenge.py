"""What is tried with the time that a probe leaves unused.

A probe is solved in a moment, while the race could judge the strategies that train only after a
few epochs. So where a probe won, errs and leaves time, its rivals get a full training, and the
validation pictures decide.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from darter.files import write_atomic
from darter.job.material import Chosen, Material, Start, Trained
from darter.job.run import Run
from darter.job.run_folder import RunFolder
from darter.job.training import fit_chosen, recipe_for, training_sentence
from darter.train import Fitted
from darter.transfer import Candidate, cheapest_within_one_standard_error, strategies

LEAST_SECONDS = 15.0  # less is no training worth the wait


@dataclass(frozen=True)
class Contender:
    """A trained model, and how it did on the validation pictures."""

    candidate: Candidate
    fitted: Fitted
    correct: np.ndarray

    def to_json(self, kept: bool) -> dict[str, Any]:
        return {
            "strategy": self.candidate.strategy.name,
            "title": self.candidate.strategy.title,
            "learning_rate": self.candidate.learning_rate,
            "accuracy": float(self.correct.mean()),
            "pictures": len(self.correct),
            "epochs": len(self.fitted.history[1:]),
            "seconds": round(self.fitted.seconds, 3),
            "kept": kept,
        }


def challenge(run: Run, start: Start, trained: Trained) -> Trained:
    """Train the rivals of a probe in the time that is left, and keep the best: challenge.json."""
    rivals = run.folder.read("race")["challengers"]
    if trained.chosen.strategy.is_probe and rivals:
        why_not = _pointless(run, trained, start.material)
        if why_not is None:
            trained = _train_rivals(run, start, trained, rivals)
            recipe_for(start, trained.chosen).save(run.folder.path / "recipe.toml")
        else:
            _say_none(run, why_not)
    chosen = trained.chosen
    run.folder.save(strategy={"name": chosen.strategy.name, "learning_rate": chosen.learning_rate})
    return trained


def _train_rivals(run: Run, start: Start, probe: Trained, rivals: list[dict[str, Any]]) -> Trained:
    """Each gets its share of the time. A resumed run trains again only what it had decided on."""
    folder, material, chosen = run.folder, start.material, probe.chosen
    decided = folder.read("challenge")["winner"] if folder.has("challenge") else None
    contenders = [_judged(probe, material)]
    with folder.stage("challenge"):
        for number, entry in enumerate(rivals):
            share = run.time_left(len(material.judged[1])) / (len(rivals) - number)
            share /= start.recipe.ensemble
            name = entry["strategy"]
            begun = _place(folder, name).exists()
            wanted = begun or share >= LEAST_SECONDS
            if decided is not None:
                wanted = decided["strategy"] == name
            if not wanted:
                continue
            strategy = replace(strategies.get(name), layers=entry["layers"])
            rival = Chosen(strategy, entry["learning_rate"], chosen.mirror_safe, chosen.why)
            fitted = fit_chosen(run, start, rival, _place(folder, name), share)
            contenders.append(_judged(Trained(rival, fitted), material))
            run.screen.line("challenge", f"{name}: {training_sentence(fitted, material)}")
    if len(contenders) == 1:
        _say_none(run, f"less than {LEAST_SECONDS:.0f} s of the time were left for each training")
        return probe
    if decided is None:
        decided = _settle(folder, contenders, material.task.measure)
    kept = next(c for c in contenders if c.candidate.strategy.name == decided["strategy"])
    if kept.fitted is probe.fitted:
        return probe
    run.screen.line("choose", f"{decided['strategy']}: {decided['why']}")
    metrics = _place(folder, decided["strategy"]) / "metrics.jsonl"
    write_atomic(folder.path / "metrics.jsonl", metrics.read_bytes())
    strategy, rate = kept.candidate.strategy, kept.candidate.learning_rate
    return Trained(Chosen(strategy, rate, chosen.mirror_safe, decided["why"]), kept.fitted)


def _settle(folder: RunFolder, contenders: list[Contender], measure: str) -> dict[str, Any]:
    """The cheapest within one standard error of the best on the validation pictures."""
    winner, best, difference, error = cheapest_within_one_standard_error(
        [(c.candidate, c.correct) for c in contenders]
    )
    accuracy = {c.candidate: float(c.correct.mean()) for c in contenders}
    why = f"{measure} {accuracy[winner]:.1%} on {len(contenders[0].correct)} validation pictures"
    first = contenders[0].candidate
    if winner is not best:
        why += (
            f"; {best.strategy.name} reached {accuracy[best]:.1%}, which is not clearly more "
            f"({100 * difference:.1f} ± {100 * error:.1f} points on the same pictures)"
        )
    elif winner is not first:
        why += f" after a full training; {first.strategy.name} reached {accuracy[first]:.1%}"
    decided = {
        "strategy": winner.strategy.name,
        "learning_rate": winner.learning_rate,
        "why": why,
    }
    entries = [c.to_json(kept=c.candidate is winner) for c in contenders]
    folder.record("challenge", {"contenders": entries, "winner": decided})
    return decided


def _say_none(run: Run, why: str) -> None:
    run.folder.save(unchallenged=why)
    run.screen.line("challenge", f"none: {why}")


def _pointless(run: Run, trained: Trained, material: Material) -> str | None:
    """Why no rival of the probe is trained; None where one should be."""
    pictures, left = len(material.split.val), run.time_left(len(material.judged[1]))
    unused = f"; about {left:.0f} s of the time are left unused" if left > LEAST_SECONDS else ""
    if not pictures:
        return f"there are no validation pictures that could show a training to be better{unused}"
    wrong = float((1 - _hits(trained.fitted, material)).sum())
    if wrong > 1:
        return None
    return (
        f"the linear classifier errs on {wrong:.3g} of {pictures} validation pictures, so no "
        f"training could be shown to be better{unused}"
    )


def _place(folder: RunFolder, strategy: str) -> Path:
    return folder.path / "challengers" / strategy


def _judged(trained: Trained, material: Material) -> Contender:
    candidate = Candidate(trained.chosen.strategy, trained.chosen.learning_rate)
    return Contender(candidate, trained.fitted, _hits(trained.fitted, material))


def _hits(fitted: Fitted, material: Material) -> np.ndarray:
    return material.task.rightness(fitted.val_logits, material.targets[list(material.split.val)])
