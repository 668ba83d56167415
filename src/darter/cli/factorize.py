"""`darter factorize`: a trained model rewritten smaller and faster."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from darter.cli import options
from darter.cli.quantize import pictures_of
from darter.errors import OptionError
from darter.names import to_json, visible


def factorize(
    model: Annotated[str, typer.Argument(help="A file that darter wrote, or a run's folder.")],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR]",
            help="Its labelled pictures, as for train. Without it, those of the run that MODEL is "
            "the folder of.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new file.  [default: MODEL-factorized.onnx]")
    ] = None,
    max_loss: Annotated[
        str | None, typer.Option(help="As far as the score falls by no more: 1%.")
    ] = None,
    speedup: Annotated[
        float | None, typer.Option(help="Until it is as many times as fast.")
    ] = None,
    ms: Annotated[
        str | None, typer.Option("--speed", help="Until it takes no longer on this machine: 2ms.")
    ] = None,
    file_size: Annotated[
        str | None, typer.Option(help="Until its weights take no more: 1MB.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(help="Of channel, separable, tucker, stack, low-rank; or cp, slow to fit."),
    ] = None,
    drop: Annotated[
        str | None, typer.Option(help="First drop this share of the channels of every layer: 30%.")
    ] = None,
    steps: Annotated[
        int, typer.Option(min=0, help="Steps of being taught by the original; 0 for none.")
    ] = 300,
    time: Annotated[
        str | None, typer.Option(help="Be taught no longer than this: 90s, 10m.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Test split: a subfolder, another folder, or a CSV.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures that the time is measured for.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order of pictures.")] = 0,
    json: options.OneObject = False,
    quiet: options.Quiet = False,
) -> None:
    """Rewrite a trained model with small layers, until it is as fast or as small as wished.

    Splits layers into the bottleneck sandwich, N×1 and 1×N, low rank and others, where that is
    faster on this machine, fits each to what the original gives, and lets the original teach it.
    Ends with a table of both files on the test pictures.
    """
    from darter.arrange import KINDS, LINEAR_KINDS, Tuning, Wish
    from darter.job import factorize_file, parse_bytes, parse_ms, parse_percent, parse_seconds

    wish_size = None if file_size is None else parse_bytes(file_size, "--file-size")
    share = None if max_loss is None else parse_percent(max_loss, "--max-loss")
    if ms is not None and ms.strip().endswith("%"):
        raise OptionError(
            f"--speed {ms}: here a time such as 2ms is expected; for a share of the time, say how "
            "many times as fast: --speedup 1.5"
        )
    milliseconds = None if ms is None else parse_ms(ms, "--speed")
    dropped = None if drop is None else _share(drop)
    from darter.model import model_file

    wish = Wish(share, speedup, milliseconds, wish_size)
    chosen = None if kinds is None else [name.strip() for name in kinds.split(",")]
    for name in chosen or ():
        if name not in KINDS | LINEAR_KINDS:
            known = ", ".join(KINDS | LINEAR_KINDS)
            raise OptionError(f"--kinds: no kind is called {name!r}; choose of {known}")
    path, pictures = model_file(model), _pictures(model, data)
    tuning = Tuning(steps=steps, seed=seed)
    if time is not None:
        tuning = Tuning(steps=steps, seed=seed, seconds=parse_seconds(time))
    record = factorize_file(
        model, pictures, out or path.with_name(f"{path.stem}-factorized.onnx"), wish,
        test=test, kinds=chosen, drop=dropped, tuning=tuning, batch=batch, threads=threads,
        say=options.say_aside(silent=quiet or json),
    )  # fmt: skip
    print(to_json(record, indent=1)) if json else show(record)


def _share(text: str) -> float:
    """0.3 of "30%" or "0.3". OptionError for anything else."""
    from darter.job import parse_percent

    return float(text) if _is_number(text) else parse_percent(text, "--drop")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _pictures(model: str, data: str | None) -> str:
    """The folder of pictures that is named, or that the model's run was given."""
    from darter.dataset import data_of

    source = pictures_of(model, data, command="factorize")
    source = data_of(source) if data is None else source
    if not Path(source).exists():
        raise OptionError(f"{visible(source)}: there is no such folder of labelled pictures")
    return source


def show(record: dict[str, Any]) -> None:
    """What became of each layer, and both files side by side."""
    from darter.report import paired_change, table

    layers = [
        {
            "layer": row["name"],
            "now": row["why"],
            "weights": "{:,} → {:,}".format(*row["weights"]),
            "ms": "{:.3f} → {:.3f}".format(*row["ms"]),
            "lost %": round(100 * row["unmet"], 1),
        }
        for row in record["layers"]
        if row["kind"] is not None
    ]
    if layers:
        print(table(layers, width=140))
    left = Counter(row["why"] for row in record["layers"] if row["kind"] is None)
    for why, number in left.items():
        print(f"{number} of {len(record['layers'])} layers stay: {why}.")
    print(table(summary(record), width=140))
    print(f"After against before: {paired_change(record['change'], record['measure'])}.")
    met = "met" if record["met"] else "not met"
    print(f"The wish was {met}: {'; '.join(record['judged'])}.")
    for line in advice(record):
        print(line)
    print(f"Written: {visible(record['out'])}")


def advice(record: dict[str, Any]) -> list[str]:
    """What may help where the wish was missed, or clearly paid for."""
    fell = record["change"]["interval"][1] < 0
    if record["met"] and not fell:
        return []
    more = "more --steps, a smaller wish" if fell else "a smaller wish, --drop 30%"
    return [
        f"What may help: {more}; `darter train --speed`, which also tries smaller pictures; "
        "bfloat16 or 8 bits (`darter precision` compares them)."
    ]


def summary(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Two rows: the file before and after."""
    rows = []
    for k, name in enumerate(("before", "after")):
        low, high = record["interval"][k]
        rows.append(
            {
                "": name,
                "weights": record["weights"][k],
                "M multiply-adds": round(record["multiply_adds"][k] / 1e6, 1),
                "ms": round(record["ms"][k], 3),
                "file, MB": round(record["bytes"][k] / 1e6, 2),
                record["measure"]: f"{record['score'][k]:.1%} ({low:.1%} to {high:.1%})",
            }
        )
    return rows
