"""The pictures of a part of a training run, found again by the run's own records."""

from pathlib import Path

from darter.dataset.audit import count, relative_name, some
from darter.dataset.sample import Sample
from darter.dataset.samples import survey_samples
from darter.errors import DataError
from darter.files import read_json

PARTS = ("train", "val", "test")


def is_run(folder: Path | str) -> bool:
    """Whether a folder was written by `darter train`."""
    return (Path(folder) / "run.json").is_file()


def run_of(model: Path | str) -> Path | None:
    """The folder of the training run that a model is of: itself, or where its file lies."""
    path = Path(model)
    folder = path if path.is_dir() else path.parent
    return folder if is_run(folder) else None


def data_of(run: Path | str) -> str:
    """The pictures that a run was given."""
    return str(read_json(Path(run) / "run.json")["options"]["data"])


def run_parts(run: Path | str) -> dict[str, list[Sample]]:
    """The pictures of every part of a run; none for a part that it did not have.

    Raises DataError where pictures are gone.
    """
    split = read_json(Path(run) / "split.json")
    return {part: run_samples(run, part)[0] if split[part] else [] for part in PARTS}


def run_samples(run: Path | str, part: str | None = None) -> tuple[list[Sample], str]:
    """The labelled pictures that a run used for a part, and the part's name.

    part: "train", "val" or "test"; "all" for the three together; None for test, or val where the
        run had no test.
    Raises DataError where the run has no such part, or pictures of it are gone.
    """
    run = Path(run)
    split, options = read_json(run / "split.json"), read_json(run / "run.json")["options"]
    part = part or ("test" if split["test"] else "val")
    names = [name for each in (PARTS if part == "all" else (part,)) for name in split[each]]
    if not names:
        have = ", ".join(each for each in PARTS if split[each])
        raise DataError(f"the run in {run} used no pictures for {part}; it has {have}")
    listing = survey_samples(
        options["data"], test=options["test"], strangers=options.get("unknown") != "none"
    )
    found = {relative_name(sample.path, listing.root): sample for sample in listing.samples}
    gone = [name for name in names if name not in found]
    if gone:
        raise DataError(
            f"{count(len(gone), 'picture')} of the {part} part of {run} can no longer be found in "
            f"{options['data']}: {some(gone, 3)}. Give the folder of labelled pictures instead."
        )
    return [found[name] for name in names], part
