"""What is foreign to a model, measured on held-out pictures and on strangers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darter.errors import DataError
from darter.job.material import Start, Trained
from darter.job.options import NO_STRANGERS
from darter.job.run import Run
from darter.noise import Ensemble
from darter.picture import EXTENSIONS, decode
from darter.train import Strangeness, features_of, measure_strangeness, seen_by
from darter.transfer import Classifier

MOST_LEARNED = (
    500  # training pictures whose features are computed anew, of a net that was retrained
)
MOST_HELD = 500
MOST_STRANGERS = 300
REMEMBERED = 0.2  # of a wished file size


def strangeness(
    run: Run, start: Start, trained: Trained, model: Classifier | Ensemble, temperature: float
) -> Strangeness | None:
    """None for several labels per picture, and without validation pictures.

    temperature: of the answers.
    """
    material, strategy = start.material, trained.chosen.strategy
    train, val = material.split.train, material.split.val
    if material.task.name != "classify" or not len(val):
        return None
    look, recipe = trained.preprocess(start), start.recipe
    known = strategy.is_probe and not trained.rewritten  # its features
    order = np.random.default_rng(recipe.seed).permutation(len(train))
    chosen = order if known else order[:MOST_LEARNED]
    if known:
        learned = start.found.read(strategy.layers)[chosen]
    else:
        examples = material.examples(tuple(train[k] for k in chosen))
        learned = features_of(model, examples.pictures, look, recipe)
    held_out = material.examples(val[:MOST_HELD]).pictures
    targets = material.targets[[train[k] for k in chosen]]
    strata, most = material.task.strata(targets), _most_remembered(run, learned.shape[1])
    strangers = _strangers(run, start)
    if not strangers:
        held = features_of(model, held_out, look, recipe)
        return measure_strangeness(learned, strata, held, most=most)
    own, foreign = seen_by(model, look, recipe, held_out, strangers)
    return measure_strangeness(learned, strata, own, foreign, temperature=temperature, most=most)


def _strangers(run: Run, start: Start) -> list[Path]:
    """Readable pictures of the folder that was given, else of those found beside the classes."""
    given = run.options.unknown
    if given in (None, NO_STRANGERS):
        return readable(start.material.strangers)
    return stranger_files(given)


def _most_remembered(run: Run, width: int) -> int | None:
    """Pictures whose features may travel in a file whose size is wished."""
    wish = run.options.wish
    if wish is None or wish.bytes is None:
        return None
    return max(1, int(REMEMBERED * wish.bytes / (4 * width)))


def stranger_files(folder: str, most: int = MOST_STRANGERS) -> list[Path]:
    """Readable picture files below a folder, at most so many, drawn at random but always the same.

    Raises DataError where there is none, or no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(
            f"--unknown {folder}: no such folder. Give one with pictures of other things."
        )
    found = readable([p for p in root.rglob("*") if p.is_file()], most)
    if not found:
        raise DataError(f"--unknown {folder}: no picture in it can be read.")
    return found


def readable(files: Sequence[Path], most: int = MOST_STRANGERS) -> list[Path]:
    """Those that are pictures, at most so many, drawn at random but always the same."""
    suffixes = frozenset().union(*EXTENSIONS.values())
    every = sorted(p for p in files if p.suffix.lower() in suffixes)
    order = np.random.default_rng(0).permutation(len(every))
    found: list[Path] = []
    for k in order.tolist():
        if len(found) == most:
            break
        try:
            decode(every[k], min_side=32)
        except DataError:
            continue
        found.append(every[k])
    return found
