"""`darter evaluate`: measure a model on labelled pictures."""

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darter.cli import options
from darter.cli.evaluate_others import captions_on, detector_on
from darter.cli.progress import progress_bar
from darter.errors import OptionError
from darter.files import check_writable, write_atomic
from darter.names import to_json, visible

if TYPE_CHECKING:
    from darter.dataset import Sample
    from darter.model import Calibration, Session


class Split(StrEnum):
    test = "test"
    val = "val"
    train = "train"
    all = "all"


def evaluate(
    model: options.ModelPath,
    folder: Annotated[
        str | None,
        typer.Argument(
            help="One folder per class, train/val/test above those, or a CSV file. Without it, the "
            "pictures of the run that MODEL is the folder of.",
            metavar="[DIR]",
        ),
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(
            help="Which of your own splits, or of the run's, to measure on.",
            show_default="test, or val if no test",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object, with one entry per picture.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a CSV file with one row per picture.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the worst mistakes.")] = None,
    unknown_below: options.UnknownBelow = None,
    over: options.Over = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="First fit confidence and threshold of answers as --over asks for them to these "
            "pictures, and keep that in the model's file.",
        ),
    ] = False,
    tiles: Annotated[
        int, typer.Option(min=1, max=64, help="Of a detector: parts of large pictures.")
    ] = 1,
    runtime: options.Runtime = "auto",
    precision: options.Precision = None,
    threads: options.Threads = None,
    batch_size: options.BatchSize = 16,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
) -> None:
    """Measure a model on labelled pictures.

    Accuracy with its 95% interval, precision, recall and F1 of every class, what is mistaken
    for what, and whether the confidence is honest. Classes are matched by name. Of a detector,
    on pictures with boxes: average precision, precision, recall and counts of every class. Of a
    caption model, on pictures with captions: BLEU, ROUGE-L and CIDEr.
    """
    for out in (csv, html):
        if out is not None:
            check_writable(out)
    from darter.dataset import task_of, without_strangers

    shared = options.workers_of(workers, cluster)
    samples, used, shown = _pictures(model, folder, split)
    if shared and task_of(samples) in ("detect", "caption"):
        raise OptionError("--workers: of pictures with boxes or captions, leave it out")
    if calibrate and task_of(samples) in ("detect", "caption"):
        raise OptionError("--calibrate: of pictures with boxes or captions, leave it out")
    if task_of(samples) == "detect":
        detector_on(model, samples, used, shown, json, csv, html, runtime, threads, tiles)
        return
    if task_of(samples) == "caption":
        if html is not None:
            raise OptionError("--html: of captions there is --csv and --json")
        captions_on(model, samples, used, shown, json, csv, runtime, threads)
        return
    session = options.open_model(model, threads, classes, size, mean, std, runtime, precision)
    from darter.cli import scores
    from darter.model import MultilabelEvaluation, averaging, evaluate_samples

    if folder is not None and Path(folder).is_dir():
        samples = without_strangers(samples, session.info.classes)
    if folder is not None and used not in (Split.test, Split.val):
        _warn_if_trained_on(session.info.card, folder)
    sources = options.parse_over(over)
    averaged = averaging(session.info, sources)
    calibration = averaged.info.calibration
    if not averaged.fitted and not calibrate:
        options.warn_of_single_look(over)
    if unknown_below is not None:
        calibration = replace(calibration, unknown_below=unknown_below)
    answers: Any = None
    if shared and calibrate:
        raise OptionError("--calibrate: of one process; leave --workers and --cluster out")
    if shared:
        from darter.cluster import in_chunks

        given = (model, classes, size, mean, std, runtime, precision)
        how = partial(_answering, given, {"batch_size": batch_size, "over": sources})
        answers = partial(in_chunks, how, workers=shared)
    with progress_bar() as progress:
        if calibrate:
            found, calibration = _calibrate(model, session, samples, sources, batch_size, progress)
            answers, progress = (lambda _paths: found), None
        result = evaluate_samples(
            session,
            samples,
            batch_size=batch_size,
            calibration=calibration,
            progress=progress,
            over=sources,
            answers=answers,
        )
    title = f"{model} on {shown}"
    record = result.to_json(split=used)
    if csv is not None:
        write_atomic(csv, scores.rows_as_csv(result))
    if html is not None:
        from darter.report import write_evaluation

        write_evaluation(record, html, title=title, task=session.info.task)
    if json:
        print(to_json(record))
    elif isinstance(result, MultilabelEvaluation):
        scores.show_multilabel(result, title)
    else:
        scores.show(result, title)


def _calibrate(
    model: str,
    session: "Session",
    samples: list["Sample"],
    over: tuple[str, ...] | None,
    batch_size: int,
    progress: Any,
) -> tuple[list[Any], "Calibration"]:
    """Answers to the pictures, and the calibration that is fitted to them and kept in the file."""
    from darter.model import (
        answers_of,
        averaging,
        evaluate_samples,
        model_file,
        read_info,
        recalibrated,
        write_info,
    )

    info, found = read_info(model), []

    def answering(paths: Any) -> Any:
        for answer in answers_of(session, paths, batch_size=batch_size, over=over):
            found.append(answer)
            yield answer

    evaluate_samples(session, samples, progress=progress, over=over, answers=answering)
    plain: list[Any] = []
    if info.calibration.unknown_above is not None:
        paths = [sample.path for sample in samples]
        plain = list(answers_of(session, paths, batch_size=batch_size, over=("none",)))
    info = recalibrated(info, samples, found, over, plain)
    write_info(model_file(model), info)
    typer.echo(
        f"note: confidence and threshold are fitted to these {len(found)} pictures, and kept in "
        f"{visible(str(model_file(model)))}. The figures below flatter them.",
        err=True,
    )
    return found, averaging(info, over).info.calibration


def _answering(given: tuple[Any, ...], asked: dict[str, Any], threads: int | None) -> Any:
    """What a worker answers a chunk of paths with."""
    from darter.model import answers_of

    model, *rest = given
    session = options.open_model(model, threads, *rest)
    return lambda paths: list(answers_of(session, paths, **asked))


def _pictures(
    model: str, folder: str | None, split: Split | None
) -> tuple[list["Sample"], str | None, str]:
    """The samples to measure on, the name of their split, and both for a reader."""
    from darter.api import choose_samples
    from darter.dataset import is_run, list_samples, run_samples

    if folder is None:
        if not is_run(model):
            raise OptionError(
                f"name the labelled pictures, too: darter evaluate {visible(model)} labelled/. "
                "(Only the folder of a training run knows its own.)"
            )
        samples, used = run_samples(model, None if split is None else str(split))
        if used in (Split.train, Split.all):
            typer.echo("note: the model has learned from these; they flatter it.", err=True)
        return samples, used, f"the {used} part of its run"
    if folder.lower().endswith(".onnx"):
        raise OptionError(f"{folder} looks like a model; the model comes first, then the pictures")
    wanted = None if split is None else str(split)
    samples, named = choose_samples(list_samples(folder, strangers=False), wanted, option="--split")
    return samples, named, folder + (f", split {named}" if named else "")


def _warn_if_trained_on(card: dict[str, Any], folder: str) -> None:
    """Say so where the model seems to come from the pictures that it is measured on."""
    name = (card.get("data") or {}).get("name")
    if name is None or name != Path(folder).resolve().name:
        return
    typer.echo(
        f"note: this model was trained on pictures of a folder called {visible(name)}. If they are "
        "these, it knows most of them already, and the figures below flatter it.",
        err=True,
    )
