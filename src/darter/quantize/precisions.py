"""One net in several precisions, and other nets beside it, on the same pictures."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Sample
from darter.errors import DarterError, ModelFileError, OptionError
from darter.model import ModelInfo, Session, load, model_file, write_info
from darter.quantize.compare import Progress, difference, logits_of_files, score
from darter.quantize.energy import bit_operations
from darter.quantize.file import Say, Wish, quantize
from darter.quantize.net import read_float_net
from darter.quantize.pictures import Pictures, calibrating, gather, judging, targets_of
from darter.quantize.search import Chosen
from darter.quantize.timing import milliseconds, one_picture

FORMATS = ("bfloat16", "int8")  # that a float32 file is measured in, too


@dataclass(frozen=True)
class Form:
    """A file as it is run.   precision: that the engine computes in."""

    name: str
    path: Path
    precision: str = "float32"


def compare_precisions(
    session: Session,
    path: Path | str,
    source: Path | str,
    *,
    calibrate: Path | str | None = None,
    others: Sequence[Path | str] = (),
    formats: Sequence[str] = FORMATS,
    wish: Wish | None = None,
    threads: int | None = None,
    say: Say = lambda sentence: None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A float32 file in each of `formats`, and other files, measured on pictures: one record.

    session: the opened file, on darter's engine.   source: pictures, labelled or not; a run's
    folder means its own.   calibrate: training pictures that 8 bits are made by; without it, a part
    of `source` does that and has no part in the measure.   wish: how 8 bits are made.
    What cannot be had of `formats` is in "left_out" with its reason. Raises DataError where the
    pictures will not do, ModelFileError where another file has other classes.
    """
    path, info = model_file(path), session.info
    for each in formats:
        if each not in FORMATS:
            raise OptionError(f"precisions are {' and '.join(FORMATS)}; got {each[:40]!r}")
    samples, pictures, notes = _pictures(source, calibrate, info, wish or Wish(), formats)
    for note in notes:
        say(note)
    forms, left_out = [Form("float32", path)], []
    with tempfile.TemporaryDirectory() as folder:
        if "bfloat16" in formats:
            forms.append(Form("bfloat16", path, "bfloat16"))
        quantized: dict[str, Any] | None = None
        if pictures is not None:
            file = Path(folder) / "int8.onnx"
            try:
                quantized = _int8(path, info, pictures, wish or Wish(), file, threads, say)
                forms.append(Form("int8", file))
            except DarterError as error:
                left_out.append({"name": "int8", "why": str(error)})
        forms += [Form(_name(other, others), model_file(other)) for other in others]
        labelled = all(sample.labels for sample in samples)
        say(f"{len(samples)} pictures judge {len(forms)} models")
        found = compare_files(
            forms, samples, labelled=labelled, first=session, threads=threads, progress=progress
        )
    left_out += found.pop("left_out")
    return {"model": str(path), "pictures": str(source), **found, "int8": quantized,
            "left_out": left_out, "notes": notes}  # fmt: skip


def compare_files(
    forms: Sequence[Form],
    samples: Sequence[Sample],
    *,
    labelled: bool,
    first: Session | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Each form on the same pictures; all others are held against the first.

    first: the first form, opened already.   Times are taken in turns, of single pictures that are
    prepared already.
    """
    sessions, left_out = _opened(forms, first, threads)
    info, total = sessions[forms[0]].info, len(sessions) * len(samples)
    read: Sequence[Sample] = samples
    found: list[NDArray[Any]] = []
    for form, session in sessions.items():
        before = len(found) * len(samples)
        step = None if progress is None else partial(_further, progress, before, total)
        read, logits = logits_of_files(session, read, step)
        found.append(_in_order(logits, session, info, form))
    targets = targets_of(read, info) if labelled else None
    times = milliseconds({form.name: one_picture(s) for form, s in sessions.items()})
    rows = [
        {
            "name": form.name,
            "file": form.path.name,
            "computes_in": form.precision,
            **_judged(logits, None if logits is found[0] else found[0], targets, info),
            "ms": times[form.name],
            "bytes": form.path.stat().st_size,
            "bit_operations": bit_operations(form.path, form.precision),
        }
        for form, logits in zip(sessions, found, strict=True)
    ]
    measured = score(found[0], targets, info).measure
    return {"measure": measured, "n": len(read), "forms": rows, "left_out": left_out}


def _further(progress: Progress, before: int, total: int, count: int, _all: int) -> None:
    progress(before + count, total)


def _judged(
    logits: NDArray[Any], base: NDArray[Any] | None, targets: Any, info: ModelInfo
) -> dict[str, Any]:
    """How right a model is, and how far that is from the first one."""
    value = score(logits, targets, info)
    apart = None if base is None else difference(logits, base, targets, info).to_json()
    labelled = value.value is not None
    return {
        "score": value.value,
        "interval": list(value.interval) if labelled else None,
        "difference": apart,
    }


def _pictures(
    source: Path | str,
    calibrate: Path | str | None,
    info: ModelInfo,
    wish: Wish,
    formats: Sequence[str],
) -> tuple[tuple[Sample, ...], Pictures | None, list[str]]:
    """Those that judge, those that 8 bits are made by (None where nobody asks), and notes."""
    if "int8" not in formats:
        samples, notes = judging(source, info)
        return samples, None, notes
    if calibrate is None:
        pictures = gather(source, info, most=wish.pictures, seed=wish.seed)
        count = len(pictures.calibrate) + len(pictures.held) + len(pictures.choose)
        apart = f"{count} pictures of {source} make 8 bits and have no part in the measure"
        return pictures.test, pictures, [*pictures.notes, apart]
    samples, notes = judging(source, info)
    pictures = calibrating(calibrate, info, samples, seed=wish.seed)
    return samples, pictures, [*notes, *pictures.notes]


def _int8(
    path: Path,
    info: ModelInfo,
    pictures: Pictures,
    wish: Wish,
    out: Path,
    threads: int | None,
    say: Say,
) -> dict[str, Any]:
    """Write the net in 8 bits; whether the wish was met on the pictures that choose."""
    chosen: Chosen = quantize(
        read_float_net(path, info), info, pictures, wish, threads=threads, say=say
    )
    card = {**info.card, "quantized": {"from": path.name}}
    write_info(chosen.model, replace(info, card=card, precision="float32"))
    out.write_bytes(chosen.model.SerializeToString(deterministic=True))
    settings = chosen.settings
    return {
        "calibration": settings.method,
        "layers": len(chosen.net.layers),
        "float_layers": sorted(settings.keep),
        "met": chosen.met,
        "most_lost": wish.most(pictures.labelled),
        "lost_when_chosen": chosen.lost,
        "calibrated_by": len(pictures.calibrate),
        "chosen_by": len(pictures.choose) + len(pictures.held),
    }


def _opened(
    forms: Sequence[Form], first: Session | None, threads: int | None
) -> tuple[dict[Form, Session], list[dict[str, str]]]:
    """Each form ready to run; those of the same file that this machine cannot run, with why."""
    sessions: dict[Form, Session] = {}
    left_out = []
    for form in forms:
        if form is forms[0] and first is not None:
            sessions[form] = first
            continue
        try:
            sessions[form] = load(
                form.path, runtime="darter", precision=form.precision, threads=threads
            )
        except DarterError as error:
            if form is forms[0] or form.path != forms[0].path:
                raise
            left_out.append({"name": form.name, "why": str(error)})
    return sessions, left_out


def _in_order(
    logits: NDArray[Any], session: Session, info: ModelInfo, form: Form
) -> NDArray[np.float32]:
    """Columns in the order of the first model's classes."""
    theirs = session.info
    if theirs.task != info.task or sorted(theirs.classes) != sorted(info.classes):
        strange = sorted(set(theirs.classes) ^ set(info.classes))
        what = f"only one of them knows {strange[0][:40]!r}" if strange else "their tasks differ"
        raise ModelFileError(f"{form.path} cannot stand in one table with the first model: {what}")
    places = [theirs.classes.index(name) for name in info.classes]
    return logits[:, places]


def _name(other: Path | str, others: Sequence[Path | str]) -> str:
    """What a row is called: the file, or its run where several files are called the same."""
    path = Path(other)
    names = [Path(each).name for each in others]
    taken = names.count(path.name) > 1 or path.name in ("float32", *FORMATS)
    return str(path) if taken else path.name
