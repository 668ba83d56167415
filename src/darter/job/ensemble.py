"""Several models trained for one file: `darter train --ensemble N`.

Members differ by seed and by the fold of training pictures that is left out of each one's training
and stops it. The validation pictures stay unseen by all but the first, which they stopped, and so
can judge the ensemble as they judge one model.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.dataset import folds
from darter.job.material import Chosen, Start, Trained
from darter.job.run import Run
from darter.job.training import recipe_for
from darter.noise import marginalize
from darter.train import Fitted, fit, start_model
from darter.transfer import fit_probe

Part = tuple[NDArray[np.int64], NDArray[np.int64]]  # what is learned from, what stops it
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
    return replace(trained, members=tuple(members))


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
