"""Train from Python: what `darter train` does, as a function."""

from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from darter.api.run import Run
from darter.errors import OptionError


def fit(
    data: Path | str,
    *,
    time: str | float = "10m",
    out: Path | str | None = None,
    test: Path | str | None = None,
    recipe: Any = None,
    speed: str | None = None,
    file_size: str | None = None,
    precision: str | None = None,
    max_drop: float | None = None,
    unknown: Path | str | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Make a classifier from labelled pictures: audit, split, choose, train, prove, report.

    data: a folder per class, train/ val/ test/ above that, or a CSV file (path,label).
    time: for all of it, about: "90s", "10m", "1h30m", or seconds.
    out: a new folder for the run; by default the first free darter-runs/NAME-NUMBER.
    test: the test split: a subfolder such as "val", another folder, or a CSV file.
    recipe: a `darter.train.Recipe`, or the path of a recipe.toml; settings: entries that replace
        its own, such as strategy="fine-tune-all", epochs=20, size=224, seed=1.
    speed, file_size: what the model is to meet: "60%" of the time that it takes as it is trained,
        "5ms" for one picture; "5MB". Says so in the report if it cannot.
    precision: as in a recipe, or "int8": trained in float32, written in 8 bits where that costs no
        more than max_drop points of accuracy (0.5) and is faster.
    unknown: folder of pictures of anything else, to be answered with "unknown"; a folder of that
        name beside two classes or more is found by itself ("none": it is a class).
    quiet: no progress. Otherwise it goes to stderr, or below a notebook's cell.
    Returns the finished Run. Raises DataError or OptionError for what a user can mend.
    Ctrl-C, or a notebook's stop button, saves and raises KeyboardInterrupt, with how to go on.

    >>> run = fit("photos", time="60s", out="run", strategy="linear-probe", size=64, quiet=True)
    >>> run.result["n"]
    4
    >>> run.model(["photos/level/0.png"])[0].label
    'level'
    >>> run.report.path.name
    'report.html'
    """
    from darter.job import JobOptions, new_run_path, parse_seconds, run_job
    from darter.train import Interrupted, Recipe

    _check_names(settings, [item.name for item in fields(Recipe)])
    given = {"time": time, "test": test, "speed": speed, "file_size": file_size,
             "precision": precision, "max_drop": max_drop,
             "unknown": unknown, **settings}  # fmt: skip
    said = "".join(f", {key}={value!r}" for key, value in given.items() if value is not None)
    if not isinstance(recipe, Recipe):
        recipe = Recipe() if recipe is None else Recipe.load(recipe)
    int8 = precision == "int8"
    if precision is not None and not int8:
        settings["precision"] = precision
    for name, value in settings.items():
        recipe = recipe.replace(**{name: str(value) if isinstance(value, Path) else value})
    options = JobOptions(
        str(data),
        None if test is None else str(test),
        parse_seconds(time, "time"),
        recipe,
        unknown=None if unknown is None else str(unknown),
        speed=speed,
        file_size=file_size,
        int8=int8,
        max_drop=max_drop,
    )
    path = Path(out) if out is not None else new_run_path(Path(data))
    try:
        run_job(options, path, screen(quiet), command=f"darter.fit({str(data)!r}{said})")
    except Interrupted:
        raise Interrupted(f"stopped; go on with: darter.Run({str(path)!r}).resume()") from None
    return Run(path)


def _check_names(settings: Iterable[str], entries: list[str]) -> None:
    """Raise OptionError for a name that neither `fit` nor the recipe has, with the nearest."""
    own = [p.name for p in signature(fit).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    known = own + entries
    for name in settings:
        if name in entries:
            continue
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        if near:
            hint = f"did you mean {near[0]}?"
        else:
            hint = f"it takes {', '.join(own)}, and the entries of a recipe: {', '.join(entries)}"
        raise OptionError(f"fit: unknown argument {name}; {hint}")


def screen(quiet: bool) -> Any:
    """Where progress goes: nowhere, below a notebook's cell, or stderr."""
    from darter.job import NotebookScreen, Screen, in_notebook

    if in_notebook() and not quiet:
        return NotebookScreen()
    return Screen(quiet=quiet)
