"""Several models trained for one file: `darter train --ensemble N`.

Members differ by seed, by the fold of training pictures that is left out of each one's training and
stops it, and, where the recipe says so, by the net that they start from. The validation pictures
stay unseen by all but the first, which they stopped, and so can judge the ensemble as they judge
one model.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import folds
from darter.errors import OptionError
from darter.files import user_cache
from darter.job.material import Chosen, Start, Trained
from darter.job.run import Run
from darter.job.training import fit_shown, recipe_for
from darter.model import Task, mean_logits
from darter.noise import WorthTable, fit_weights, marginalize, paired_interval, worth_it
from darter.train import Fitted, Recipe, start_model
from darter.transfer import Backbone, Features, features, fit_probe, given_as, zoo

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
            name = member.model.backbone.name
            text = f"member {number + 2} of {wanted + 1} is trained, from {name}"
            run.screen.line("ensemble", text)
    return _kept(run, start, replace(trained, members=tuple(members)))


def _kept(run: Run, start: Start, trained: Trained) -> Trained:
    """The ensemble where it is worth its cost, else its first model: ensemble.json."""
    material, count = start.material, 1 + len(trained.members)
    task, targets = material.task, material.targets[list(material.split.val)]
    if len(targets) < FEWEST:
        return trained
    trained = replace(
        trained, weights=weights_of_members(task, targets, trained.val_logits_of_each())
    )
    table, helps = worth_of_ensemble(
        task, targets, trained.fitted.val_logits, trained.val_logits(task), count
    )
    always = start.recipe.ensemble_kept == "always"
    run.folder.record("ensemble", table.to_json() | {"kept": helps or always, "helps": helps,
               "weights": trained.weights, "backbones": trained.backbones})  # fmt: skip
    kept = "kept" if helps else "kept as asked for" if always else "not kept"
    run.screen.line("ensemble", f"{count} models are {kept}: {table.why}")
    return trained if helps or always else replace(trained, members=(), weights=())


def weights_of_members(
    task: Task, targets: NDArray[Any], rows: NDArray[np.floating]
) -> tuple[float, ...]:
    """Weights of the models, where they lower the log loss by more than its error; else none.

    rows: logits (models, pictures, classes). Judged on pictures that the weights do not come from:
    each half is weighed by the other.
    """
    alike, weighed = mean_logits(task, rows), np.empty(rows.shape[1:])
    halves = np.random.default_rng(0).permutation(len(targets)) % 2
    for half in (0, 1):
        here, there = halves == half, halves != half
        weights = fit_weights(rows[:, there], targets[there], task=task).tolist()
        weighed[here] = mean_logits(task, rows[:, here], weights)
    gain = task.losses(alike, targets) - task.losses(weighed, targets)
    if paired_interval(gain)[0] <= 0:
        return ()
    return tuple(fit_weights(rows, targets, task=task).tolist())


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
    net, found = _net(start, chosen, number, seed)
    probe = None
    if strategy.start == "probe":
        probe = fit_probe(
            found.read(strategy.layers)[learned],
            examples.targets[learned],
            material.classes,
            task=material.task,
            groups=material.groups[list(material.split.train)][learned],
            seed=seed,
        )
    model = start_model(net, strategy, material.classes, probe, seed)
    parts = (examples.subset(learned), examples.subset(held))
    out = run.folder.path / "members" / str(number + 1)
    return fit_shown(run, start, chosen, model, recipe, parts, out, seconds)


def check_backbones(recipe: Recipe) -> None:
    """Raise what is wrong with the nets that members are to start from, before any work."""
    if recipe.ensemble_backbones and recipe.ensemble < 2:
        raise OptionError(
            f'ensemble_backbones = "{recipe.ensemble_backbones}" is of the models beside the '
            "first: it needs --ensemble 2 or more"
        )
    if recipe.keep_draws and recipe.ensemble > 1:
        raise OptionError(
            "keep_draws is of one model; an ensemble is an average already. Set one of them only."
        )
    for name in _named(recipe.ensemble_backbones):
        zoo.check(name)


def _named(text: str) -> list[str]:
    return [] if text == zoo.AUTO else [name.strip() for name in text.split(",") if name.strip()]


def _others(start: Start) -> list[str]:
    """Names of the nets that members start from, in turn."""
    wanted = start.recipe.ensemble_backbones
    if wanted == zoo.AUTO:
        wanted = ",".join(n for n in zoo.offline_names() if n != start.backbone.name)
    return _named(wanted) or [start.backbone.name]


def _net(start: Start, chosen: Chosen, number: int, seed: int) -> tuple[Backbone, Features]:
    """What a member starts from, and that net's features of the training pictures."""
    strategy, material = chosen.strategy, start.material
    names = _others(start)
    name = names[number % len(names)]
    if strategy.start == "random" or name == start.backbone.name:
        return start.net(strategy, seed), start.found
    own = zoo.load(name)
    net = given_as(own, start.preprocess)
    found = features(
        own,
        material.pictures(material.split.train),
        replace(start.preprocess, mean=own.mean, std=own.std),
        cache_dir=user_cache("features"),
        device=start.recipe.device,
    )
    return net, found


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
