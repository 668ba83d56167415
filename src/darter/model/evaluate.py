"""How good a model is on labelled pictures: accuracy with its interval, per class, calibration."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.errors import DataError, ShapeError
from darter.model import confidence as trust
from darter.model import metrics
from darter.model.curves import every_precision_recall, threshold_curve
from darter.model.evaluation import Evaluation
from darter.model.info import Calibration
from darter.model.multilabel_evaluation import MultilabelEvaluation, evaluate_multilabel
from darter.model.over import averaging
from darter.model.predict import Answer, stream_logits
from darter.model.tasks import get_task
from darter.names import one_form

if TYPE_CHECKING:
    from darter.dataset import Sample
    from darter.model.session import Session

TOP = 5  # classes listed per picture in `Evaluation.predictions`


Judged = Evaluation | MultilabelEvaluation


def evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    calibration: Calibration | None = None,
    paths: Sequence[str] | None = None,
) -> Evaluation:
    """Compare logits (n, classes) with true class indices (n,).

    paths: the pictures' names, for `Evaluation.predictions` (left empty without them).
    Raises ShapeError if the lengths or the number of classes disagree.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    classes, calibration = tuple(classes), calibration or Calibration()
    _check_shapes(logits, labels, classes, paths)
    probabilities = metrics.softmax(logits, calibration.temperature)
    predicted = probabilities.argmax(axis=1)
    confidence, correct = probabilities.max(axis=1), predicted == labels
    confusion = metrics.confusion_matrix(labels, predicted, len(classes))
    known, right_when_known = trust.coverage(confidence, correct, calibration.unknown_below)
    diagram, scores = trust.reliability(confidence, correct), metrics.per_class(confusion, classes)
    n = len(labels)
    return Evaluation(
        classes=classes,
        n=n,
        accuracy=float(correct.mean()) if n else None,
        interval=metrics.wilson(int(correct.sum()), n),
        majority=metrics.majority(confusion, classes),
        balanced_accuracy=metrics.balanced_accuracy(confusion),
        macro_f1=metrics.macro_f1(scores),
        per_class=scores,
        confusion=confusion,
        calibration_error=trust.calibration_error(diagram),
        reliability=diagram,
        calibration=calibration,
        coverage=known,
        accuracy_when_known=right_when_known,
        threshold_curve=threshold_curve(confidence, correct),
        precision_recall=every_precision_recall(
            classes, probabilities, labels[:, None] == np.arange(len(classes))
        ),
        predictions=_predictions(paths or (), labels, probabilities, classes),
    )


def answers_of(
    session: "Session",
    paths: Sequence[Path],
    *,
    batch_size: int = 16,
    over: Sequence[str] | None = None,
) -> Iterator[Answer]:
    """Name, logits (or why there are none) and notes of each picture file, in order."""
    mean = averaging(session.info, over)
    return stream_logits(
        session.answering(mean),
        session.info,
        paths,
        batch_size=batch_size,
        look=mean.look,
        merge=mean.merge,
    )


def evaluate_samples(
    session: "Session",
    samples: Sequence["Sample"],
    *,
    batch_size: int = 16,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
    over: Sequence[str] | None = None,
    answers: Callable[[Sequence[Path]], Iterable[Answer]] | None = None,
) -> Judged:
    """Run a model over labelled picture files; classes are matched by name.

    calibration: replaces the model's own.   progress(done, total) is called after each picture.
    over: what answers are averaged over, as for `Session.predict`.
    answers: paths -> an answer for each, in their order, where not this process gives them (see
    `answers_of`).
    Pictures that cannot be read are left out and listed in `Evaluation.unreadable`.
    Raises DataError if a label is no class of the model, or no picture can be read.
    """
    classes = session.info.classes
    # Accents of labels are in one form of Unicode; a model of other making may have the other.
    own = {one_form(name): name for name in classes} | {name: name for name in classes}
    _check_labels(samples, classes)
    if session.info.task == "classify" and any(len(s.labels) != 1 for s in samples):
        raise DataError(
            "the model gives one label per picture, and the pictures have several, or none. Train "
            "one on such a list, or give each picture one label."
        )
    task, mean = get_task(session.info.task), averaging(session.info, over)
    paths: list[str] = []
    read: list[Sample] = []
    rows: list[NDArray[np.float32]] = []
    unreadable: list[tuple[str, str]] = []
    files = [sample.path for sample in samples]
    if answers is None:
        found: Iterable[Answer] = answers_of(session, files, batch_size=batch_size, over=over)
    else:
        found = answers(files)
    for done, (sample, (path, scores, _)) in enumerate(zip(samples, found, strict=True), 1):
        if isinstance(scores, str):
            unreadable.append((path, scores))
        else:
            paths.append(path)
            read.append(sample)
            rows.append(scores)
        if progress is not None:
            progress(done, len(samples))
    if not rows:
        first = f", e.g. {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise DataError(f"none of the {len(samples)} pictures can be read{first}")
    logits, calibration = np.stack(rows), calibration or mean.info.calibration
    targets = task.targets([[own[name] for name in sample.labels] for sample in read], classes)
    rows_of = logits[:, : len(classes)]
    result = evaluate_as(task.name, rows_of, targets, classes, calibration=calibration, paths=paths)
    if isinstance(result, Evaluation) and calibration.unknown_above is not None:
        result = _with_novelty(result, logits[:, len(classes) :])
    return replace(result, unreadable=tuple(unreadable))


def _with_novelty(found: Evaluation, novelty: NDArray[Any]) -> Evaluation:
    """Its coverage where foreign pictures are "unknown", too. novelty: (n, 0 or 1)."""
    if not novelty.size:
        return found
    limits = found.calibration
    confidence = np.array([p["confidence"] for p in found.predictions])
    confidence[novelty[:, 0] > limits.unknown_above] = -1
    known, right = trust.coverage(confidence, found.right > 0, limits.unknown_below)
    return replace(found, coverage=known, accuracy_when_known=right)


def evaluate_as(
    task: str,
    logits: NDArray[Any],
    targets: NDArray[Any],
    classes: Sequence[str],
    *,
    calibration: Calibration | None = None,
    paths: Sequence[str] = (),
) -> Judged:
    """Logits (n, classes) held against targets, as the task of that name measures them."""
    return EVALUATIONS[task](logits, targets, classes, calibration=calibration, paths=paths)


EVALUATIONS: dict[str, Callable[..., Judged]] = {
    "classify": evaluate,
    "multilabel": evaluate_multilabel,
}


def _check_labels(samples: Sequence["Sample"], classes: tuple[str, ...]) -> None:
    strange = sorted({label for sample in samples for label in sample.labels})
    strange = [name for name in strange if name not in {*classes, *map(one_form, classes)}]
    if not strange:
        return
    known = {name.lower(): name for name in classes}
    near = difflib.get_close_matches(strange[0].lower(), known, 1)
    hint = f" Is {strange[0]} its {known[near[0]]}?" if near else ""
    raise DataError(
        f"the model does not know the class{'es' * (len(strange) > 1)} {_some(strange)}; "
        f"it knows {_some(classes)}. Rename or leave out what it cannot know.{hint}"
    )


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _predictions(
    paths: Sequence[str], labels: NDArray, probabilities: NDArray, classes: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    return tuple(
        {
            "path": str(path),
            "label": classes[labels[i]],
            "predicted": classes[order[i, 0]],
            "confidence": float(probabilities[i, order[i, 0]]),
            "top": [[classes[k], float(probabilities[i, k])] for k in order[i]],
        }
        for i, path in enumerate(paths)
    )


def _check_shapes(
    logits: NDArray, labels: NDArray, classes: tuple[str, ...], paths: Sequence[str] | None
) -> None:
    if logits.shape != (len(labels), len(classes)):
        raise ShapeError(
            f"evaluate: logits must be (pictures, classes) = ({len(labels)}, {len(classes)}); "
            f"got {logits.shape}"
        )
    if paths is not None and len(paths) != len(labels):
        raise ShapeError(f"evaluate: {len(paths)} paths for {len(labels)} pictures")
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(classes)):
        raise ShapeError(f"evaluate: labels must lie in 0…{len(classes) - 1}")
