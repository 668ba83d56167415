"""`darter quantize`: a trained model in 8 bits, as standard ONNX."""

from pathlib import Path
from typing import Annotated, Any

import typer

from darter.cli import options
from darter.errors import OptionError
from darter.names import to_json, visible

MOST_LAYERS = 12  # that the table names


def quantize(
    model: options.ModelPath,
    pictures: Annotated[
        str | None,
        typer.Argument(
            metavar="[PICTURES]",
            help="Labelled pictures as for train, or any folder of pictures like those the model "
            "will see. Without it, those of the run that MODEL is the folder of.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new file.  [default: MODEL-int8.onnx]")
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0, max=100,
            help="Points of accuracy that may be lost (without labels: of agreement).",
            show_default="0.5; 2 without labels",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="How ranges are found: min-max, percentile, mse or entropy.",
            show_default="the best of them",
        ),
    ] = None,
    calibrate_by: options.CalibrateBy = 128,
    keep: Annotated[
        str | None, typer.Option(help="Layers that stay in float, by name, with commas.")
    ] = None,
    weight_bits: Annotated[
        int,
        typer.Option(
            min=7, max=8,
            help="7 for other runtimes on CPUs without VNNI, whose 8-bit products may saturate.",
        ),
    ] = 8,
    seed: options.CalibrationSeed = 0,
    threads: options.Threads = None,
    json: options.OneObject = False,
    quiet: options.Quiet = False,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
) -> None:  # fmt: skip
    """Write a model in 8 bits: a quarter of the bytes, standard ONNX for any runtime.

    Pictures say what range each layer's numbers have; layers that lose too much stay in float, by
    measuring. Ends with both files on pictures that had no part in it. Nothing is written where
    more is lost than --max-drop.
    """
    from darter.quantize import METHODS, Wish, quantize_file

    if calibration is not None and calibration not in METHODS:
        raise OptionError(f"--calibration must be one of {', '.join(METHODS)}; got {calibration!r}")
    source = pictures_of(model, pictures)
    session = options.open_model(model, threads, classes, size, mean, std, "darter", "float32")
    names = frozenset(part.strip() for part in (keep or "").split(",") if part.strip())
    wish = Wish(max_drop, calibration, weight_bits, names, calibrate_by, seed)
    record = quantize_file(
        session, model, source, out, wish=wish, threads=threads,
        say=options.say_aside(silent=quiet or json),
    )  # fmt: skip
    print(to_json(record, indent=1)) if json else show(record)


def pictures_of(model: str, pictures: str | None, command: str = "quantize") -> str:
    """The folder of pictures, or of the run whose own they are."""
    from darter.dataset import is_run

    if pictures is not None:
        return pictures
    if is_run(model):
        return model
    if Path(model).is_dir():
        raise OptionError(
            f"{visible(model)} is not the folder of a training run. Name one, or a model file and "
            f"pictures: darter {command} model.onnx photos/."
        )
    raise OptionError(
        f"name the pictures, too: darter {command} {visible(model)} photos/. "
        "(Only the folder of a training run knows its own.)"
    )


def show(record: dict[str, Any]) -> None:
    """Both files side by side, and what stayed in float."""
    from darter.report import table

    print(table(rows(record), width=140))
    print(sentence(record))
    kept = record["float_layers"]
    if kept:
        more = f" and {len(kept) - MOST_LAYERS} more" if len(kept) > MOST_LAYERS else ""
        names = ", ".join(visible(name) for name in kept[:MOST_LAYERS])
        print(f"In float stayed {len(kept)} of {record['layers']} layers: {names}{more}.")
    for note in notes(record):
        print(note)
    print(f"Written: {visible(record['out'])}")


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Two rows: the file before and after."""
    made = []
    for k, name in enumerate(("float32", "int8")):
        row: dict[str, Any] = {"": name, "file, MB": round(record["bytes"][k] / 1e6, 2)}
        row |= {f"ms, {where}": round(each[name], 2) for where, each in record["ms"].items()}
        if record["score"][k] is not None:
            low, high = record["interval"][k]
            row[record["measure"]] = f"{record['score'][k]:.1%} ({low:.1%} to {high:.1%})"
        made.append(row)
    return made


def sentence(record: dict[str, Any]) -> str:
    """What the change costs on the test pictures."""
    found = record["difference"]
    low, high = found["agreement_interval"]
    same = (
        f"The same answer for {found['agreement']:.1%} of {found['n']} pictures (95% interval "
        f"{low:.1%} to {high:.1%})."
    )
    if found["points"] is None:
        return same
    low, high = found["points_interval"]
    return (
        f"{same} {record['measure'].capitalize()} {found['points']:+.2f} points (paired 95% "
        f"interval {low:+.2f} to {high:+.2f}): {found['better']} became right, {found['worse']} "
        "wrong."
    )


def notes(record: dict[str, Any]) -> list[str]:
    """What a person should know before using the file."""
    found, said = record["difference"], []
    lost = 100 * (1 - found["agreement"]) if found["points"] is None else -found["points"]
    if lost > record["most_lost"]:
        said.append(
            f"note: on these pictures that is more than the {record['most_lost']:g} points of the "
            "wish, which was met on those that chose."
        )
    slower = [where for where, each in record["ms"].items() if each["int8"] > each["float32"]]
    if slower:
        said.append(
            f"note: it is smaller, but not faster than float32 here on {' and '.join(slower)}."
        )
    return said
