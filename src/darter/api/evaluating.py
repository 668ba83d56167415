"""How good a model is on labelled pictures."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from darter.dataset import Listing, Sample, list_samples, without_strangers
from darter.errors import DataError
from darter.model import Judged, Session, evaluate_samples, load


def evaluate(
    model: Session | Path | str,
    data: Path | str,
    *,
    split: str | None = None,
    unknown_below: float | None = None,
    batch_size: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Measure a model on labelled pictures; classes are matched by name.

    model: what `darter.load` gives or takes.   data: a folder per class, train/ val/ test/ above
    that, or a CSV file (path,label).
    split: which of the folder's own splits, or "all"; by default test, else val, never train.
    unknown_below: replaces the model's threshold.   progress(done, total): after each picture.
    Returns an Evaluation (a MultilabelEvaluation, where pictures have several labels); a notebook
    shows it as tables, with the worst mistakes as pictures.
    Raises DataError where there are no such pictures, or a label is no class of the model.

    >>> result = evaluate("model.onnx", "photos")
    >>> result.n, len(result.per_class)
    (24, 2)
    """
    session = model if isinstance(model, Session) else load(model)
    samples, _ = choose_samples(list_samples(data, strangers=False), split)
    if Path(data).is_dir():
        samples = without_strangers(samples, session.info.classes)
    calibration = session.info.calibration
    if unknown_below is not None:
        calibration = replace(calibration, unknown_below=unknown_below)
    return evaluate_samples(
        session, samples, batch_size=batch_size, calibration=calibration, progress=progress
    )


def choose_samples(
    listing: Listing, wanted: str | None = None, *, option: str = "split="
) -> tuple[list[Sample], str | None]:
    """The samples to measure on, and the name of their split if the user has splits.

    Pictures that the model was trained on flatter it, so train is only taken when asked for.
    option: what asks for it, for the errors. Raises DataError where there is no such split.
    """
    have = Counter(sample.split for sample in listing.samples)
    if wanted == "all" or (wanted is None and set(have) == {None}):
        return list(listing.samples), None
    name = wanted or next((s for s in ("test", "val") if have[s]), None)
    if name is None:
        raise DataError(
            f"{listing.root} has neither a test nor a val split; measuring on train flatters the "
            f"model. Add {_said(option, 'train')} or {_said(option, 'all')} if you mean it."
        )
    if not have[name]:
        found = ", ".join(sorted(str(s) for s in have if s)) or "none"
        raise DataError(f"{listing.root} has no split {name}; its splits: {found}")
    return [sample for sample in listing.samples if sample.split == name], str(name)


def _said(option: str, value: str) -> str:
    return f'{option}"{value}"' if option.endswith("=") else f"{option} {value}"
