"""Several models trained for one file: `darter train --ensemble N`.

Members differ by seed and by the fold of training pictures that is left out of each one's training
and stops it. The validation pictures stay unseen by all but the first, which they stopped, and so
can judge the ensemble as they judge one model.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import folds
from darter.job.material import Chosen, Start, Trained
from darter.job.run import Run
from darter.job.training import recipe_for
from darter.model import Task
from darter.noise import WorthTable, marginalize, worth_it
from darter.train import Fitted, fit, start_model
from darter.transfer import fit_probe

Part = tuple[NDArray[np.int64], NDArray[np.int64]]  # what is learned from, what stops it
FEWEST = 30  # validation pictures; fewer can show nothing
FEWEST_FOLDS = 5  # a member learns from four fifths of the training pictures or more


def train_members(run: Run, start: Start, trained: Trained) -> Trained:
    """Train the recipe's other members in the time that is left: members/1, members/2, …"""
    wanted = start.recipe.ensemble - 1
    if wanted < 1:
        return trained
    material = start.material
    train = list(material.split.train)
    parts = folds(
        material.task.strata(material.targets[train]),
        material.groups[train],
        _folds(wanted, len(set(material.groups[train].tolist()))),
        start.recipe.seed,
    )
    members: list[Fitted] = []
    with run.folder.stage("ensemble"):
        for number in range(wanted):
            share = run.time_left(len(material.judged[1])) / (wanted - number)
            member = _fit_member(run, start, trained.chosen, number, parts[number], share)
            members.append(_judged(start, trained.chosen, member))
            run.screen.line("ensemble", f"member {number + 2} of {wanted + 1} is trained")
    return _kept(run, start, replace(trained, members=tuple(members)))


def _kept(run: Run, start: Start, trained: Trained) -> Trained:
    """The ensemble where it is worth its cost, else its first model: ensemble.json."""
    material, count = start.material, 1 + len(trained.members)
    task, targets = material.task, material.targets[list(material.split.val)]
    if len(targets) < FEWEST:
        return trained
    table, helps = worth_of_ensemble(
        task, targets, trained.fitted.val_logits, trained.val_logits(task), count
    )
    always = start.recipe.ensemble_kept == "always"
    run.folder.record("ensemble", table.to_json() | {"kept": helps or always, "helps": helps})
    kept = "kept" if helps else "kept as asked for" if always else "not kept"
    run.screen.line("ensemble", f"{count} models are {kept}: {table.why}")
    return trained if helps or always else replace(trained, members=())


def worth_of_ensemble(
    task: Task,
    targets: NDArray[Any],
    first: NDArray[np.floating],
    together: NDArray[np.floating],
    count: int,
) -> tuple[WorthTable, bool]:
    """Whether models beside the first are worth it, on validation pictures, and the evidence.

    They are where they are right more often by more than the error, or more honest (log loss) by
    more than the error. Each side has its own temperature: doubt that one number can mend is no
    reason for a second model.
    """
    alone = "the first model alone"
    fitted = [logits / task.calibrate(logits, targets).temperature for logits in (first, together)]
    name = f"{count} models"
    table = worth_it(task, targets, fitted[0], {name: fitted[1]}, name=alone)
    row = table.rows[1]
    if not row.helps and row.more_honest and row.loss_gain is not None:
        low, high = row.loss_interval or (0.0, 0.0)
        why = (f"{table.why}, but the log loss is {row.loss_gain:.3f} nats less (95% interval "
               f"{low:.3f} to {high:.3f})")  # fmt: skip
        plain, row = table.rows[0], replace(row, kept=True)
        table = replace(table, rows=(replace(plain, kept=False), row), kept=name, why=why)
    return table, row.helps or row.more_honest


def _folds(wanted: int, groups: int) -> int:
    return min(max(FEWEST_FOLDS, wanted), groups)


def _fit_member(
    run: Run, start: Start, chosen: Chosen, number: int, part, seconds: float
) -> Fitted:
    learned, held = part
    strategy, material = chosen.strategy, start.material
    seed = start.recipe.seed + number + 1
    recipe = recipe_for(start, chosen).replace(seed=seed)
    examples = material.examples(material.split.train)
    probe = None
    if strategy.start == "probe":
        probe = fit_probe(
            start.found.read(strategy.layers)[learned],
            examples.targets[learned],
            material.classes,
            task=material.task,
            groups=material.groups[list(material.split.train)][learned],
            seed=seed,
        )
    model = start_model(start.net(strategy, seed), strategy, material.classes, probe, seed)
    augment, preprocess = start.look(strategy, chosen.mirror_safe)
    with run.screen.training() as bar:
        return fit(
            model,
            strategy,
            recipe,
            examples.subset(learned),
            examples.subset(held),
            run.folder.path / "members" / str(number + 1),
            augment=augment,
            preprocess=preprocess,
            seconds=max(1.0, seconds),
            resume=True,
            progress=bar,
            cache=start.cache,
            world=run.world,
        )


def _judged(start: Start, chosen: Chosen, member: Fitted) -> Fitted:
    """The member with its answers to the validation pictures that all members share."""
    material = start.material
    if not len(material.split.val):
        return member
    found = marginalize(
        member.model,
        material.examples(material.split.val).pictures,
        preprocess=start.preprocess_for(chosen.strategy),
        task=material.task.name,
    )
    return replace(member, val_logits=found.logits.astype(np.float32))
