"""`darter train --precision int8`: the model in 8 bits, where that costs little and is faster.

Training pictures calibrate, validation pictures choose; test pictures say in the end what it has
cost. model.onnx is then the file of 8 bits, and float32.onnx beside it the one that it was made of.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from darter.dataset import Sample
from darter.errors import DarterError, OptionError
from darter.files import write_atomic
from darter.job.material import Material, Start
from darter.job.options import JobOptions
from darter.job.run import Run
from darter.model import load, read_info, write_info
from darter.quantize import (
    CALIBRATE,
    HELD,
    Form,
    Wish,
    about,
    compare_files,
    prepared,
    quantize,
    read_float_net,
    times,
)

FLOAT, MADE = "float32.onnx", "quantized/int8.onnx"  # in the run folder


def check_int8(options: JobOptions) -> None:
    """Raise OptionError where 8 bits are wished of what has none to give."""
    if not options.int8:
        if options.max_drop is not None:
            raise OptionError("--max-drop says what --precision int8 may cost; give both.")
        return
    if options.recipe.strategy == "binary":
        raise OptionError(
            "--precision int8 quantizes a float32 net; a binary net is of 1 bit. Choose another "
            "--strategy, or leave --precision out."
        )


def to_int8(run: Run, start: Start) -> None:
    """Put a model of 8 bits in the place of model.onnx, if it is worth it: quantized.json."""
    folder = run.folder
    if not run.options.int8:
        return
    kept = folder.path / FLOAT
    write_atomic(kept, folder.model.read_bytes())
    if not folder.done("quantize"):
        with run.stage("quantize"):
            folder.record("quantized", _quantized(run, start, kept))
    record = folder.read("quantized")
    if record["kept"]:
        write_atomic(folder.model, (folder.path / MADE).read_bytes())
        write_info(folder.model, replace(read_info(kept), precision="float32"))
    run.say("quantize", record["why"])


def compare_int8(run: Run, start: Start) -> None:
    """Both files on the held-out pictures: precisions.json."""
    folder = run.folder
    if not run.options.int8:
        return
    record, kept = folder.read("quantized"), folder.path / FLOAT
    part, indices = start.material.judged
    forms = [Form("float32", kept), Form("bfloat16", kept, "bfloat16")]
    if record["made"] is not None:
        forms.append(Form("int8", folder.path / MADE))
    with run.stage("precisions") as progress:
        found = compare_files(
            forms, start.material.samples(indices), labelled=True, threads=_threads(start),
            progress=progress,
        )  # fmt: skip
    made = record["made"] and {**record["made"], "met": record["met"]}
    folder.record(
        "precisions",
        {"model": str(kept), "pictures": part, **found, "int8": made, "notes": [],
         "why": record["why"]},
    )  # fmt: skip
    rows = {form["name"]: form for form in found["forms"]}
    if "int8" in rows:
        run.screen.line("8 bits", _cost(rows["int8"], found["n"], part))


def _quantized(run: Run, start: Start, file: Path) -> dict[str, Any]:
    """What was made, whether it is kept, and why. Nothing that fails here ends the run."""
    material, task = start.material, start.material.task
    info, wish = read_info(file), Wish(run.options.max_drop, seed=start.recipe.seed)
    record: dict[str, Any] = {"kept": False, "met": False, "made": None, "ms": {}}
    assert info is not None
    try:
        pictures = prepared(
            *_parts(material, start.recipe.seed), (), info, most=CALIBRATE,
            name="training and validation pictures",
        )  # fmt: skip
        chosen = quantize(
            read_float_net(file, info), info, pictures, wish, threads=_threads(start),
            say=lambda sentence: run.screen.line("quantize", sentence),
        )  # fmt: skip
    except DarterError as error:
        return record | {"why": f"float32 is kept: {error}"}
    out = run.folder.path / MADE
    write_atomic(out, chosen.model.SerializeToString(deterministic=True))
    load(out, runtime="darter")  # a file that does not open is not offered
    most = wish.most(pictures.labelled)
    record |= {
        "met": chosen.met,
        "most_lost": most,
        "made": {
            **about(chosen, FLOAT),
            "calibrated_by": len(pictures.calibrate),
            "chosen_by": len(pictures.choose) + len(pictures.held),
            "most_lost": most,
        },
        "ms": times({"float32": file, "int8": out}, _threads(start)),
    }
    faster = [name for name, each in record["ms"].items() if each["int8"] < each["float32"]]
    return record | _verdict(record, faster, f"{task.measure} lost on {len(pictures.choose)}")


def _parts(material: Material, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Training pictures to calibrate by, validation pictures to choose by."""
    split = material.split
    order = np.random.default_rng(seed).permutation(len(split.train)).tolist()
    train = material.samples(tuple(split.train[k] for k in order))
    val = material.samples(split.val)
    return (train[: CALIBRATE + HELD] if val else train), val


def _verdict(record: dict[str, Any], faster: list[str], of: str) -> dict[str, Any]:
    lost, most = record["made"]["lost_when_chosen"], record["most_lost"]
    said = f"{lost:.1f} points of {of} validation pictures"
    if not record["met"]:
        return {"why": f"float32 is kept: {said} in 8 bits, and {most:g} may be"}
    taken = "; ".join(
        f"{each['float32']:.3g} ms become {each['int8']:.3g} in {name}"
        for name, each in record["ms"].items()
    )
    if not faster:
        return {"why": f"float32 is kept: 8 bits are not faster on this machine ({taken})"}
    return {"kept": True, "why": f"8 bits are kept: {said}, {most:g} may be; {taken}"}


def _cost(row: dict[str, Any], n: int, part: str) -> str:
    found = row["difference"]
    low, high = found["points_interval"]
    return (
        f"on {n} {part} pictures {found['points']:+.2f} points from float32 (paired 95% interval "
        f"{low:+.2f} to {high:+.2f}), the same answer for {found['agreement']:.1%}"
    )


def _threads(start: Start) -> int | None:
    return None if start.recipe.threads == "auto" else int(start.recipe.threads)
