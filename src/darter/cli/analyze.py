"""`darter analyze`: what a net costs and sees, layer by layer."""

import csv
import tempfile
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darter.cli import options
from darter.errors import DarterError, MissingExtraError, OptionError
from darter.extras import install_line
from darter.names import to_json, visible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from darter.net import Analysis

LONGEST_NAME = 32  # letters of a layer's name in the table
MOST_DRAWN = 24  # layers with an effective field on the page
COLUMNS = ("layer", "op", "output", "weights", "M madds", "FLOP/B", "sees", "ms", "%", "GFLOP/s",
           "algorithm")  # fmt: skip
MEASURED = ("ms", "%", "GFLOP/s", "algorithm")


def analyze(
    model: Annotated[
        str,
        typer.Argument(
            help="An ONNX file, a run's folder, or a net's name in torchvision or timm."
        ),
    ],
    size: Annotated[int | None, typer.Option(min=1, help="Side of the pictures in pixels.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures that are timed together.")] = 1,
    precision: options.Precision = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all")
    ] = None,
    runs: Annotated[int, typer.Option(min=0, help="Runs that are timed at least; 0 for none.")] = 5,
    all_layers: Annotated[
        bool, typer.Option("--all", help="Also the layers that cost nothing here.")
    ] = False,
    json: options.OneObject = False,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write a row per layer to this file.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with bars to this file.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="On the page, draw receptive fields on this picture.")
    ] = None,
) -> None:
    """Say what each layer of a net costs and sees: weights, work, bytes, receptive field, time.

    One multiply-add is two FLOPs. "sees 11 / 4" is a receptive field of 11 × 11 pixels, 4 pixels
    from the next unit's; "all" is the whole picture.
    """
    if image is not None and html is None:
        raise OptionError("--image PICTURE draws on the page; name it with --html FILE")
    with tempfile.TemporaryDirectory() as temporary:
        path = _file_of(model, size, Path(temporary))
        from darter.model import analyze_file

        found = analyze_file(
            path, size=size, batch=batch, precision=precision, threads=threads, runs=runs
        )
        record = found.to_json() | {"model": model}
        if html is not None:
            _write_page(record, found, path, size, image, html)
    if csv_file is not None:
        _write_csv(record, csv_file)
    if json:
        print(to_json(record, indent=1))
        return
    _print(record, all_layers)
    for written in (csv_file, html):
        if written is not None:
            print(f"Written: {visible(str(written))}")


def _file_of(model: str, size: int | None, folder: Path) -> Path:
    """The model's file; a net that has only a name is written first, with random weights."""
    if Path(model).exists() or model.endswith(".onnx"):
        return Path(model)
    try:
        from darter.arrange import make_net, to_file
    except ImportError:
        raise MissingExtraError(
            f"{visible(model)}: there is no such file; for nets by name "
            f"torchvision and timm are needed: {install_line('train')}"
        ) from None
    net, usual = make_net(model)
    to_file(net, size or usual, folder / "net.onnx")
    return folder / "net.onnx"


def _print(record: dict[str, Any], everything: bool) -> None:
    from darter.report import sees, table

    costly = [
        layer for layer in record["layers"] if everything or layer["ms"] or layer["multiply_adds"]
    ]
    rows = [
        dict(
            zip(
                COLUMNS,
                (
                    _short(layer["name"]),
                    layer["op"],
                    "×".join(map(str, layer["shape"][1:])),
                    layer["weights"],
                    round(layer["multiply_adds"] / 1e6, 2),
                    round(layer["intensity"], 1),
                    sees(layer),
                    round(layer["ms"], 3) if record["ms"] else None,
                    round(100 * layer["share"], 1) if record["ms"] else None,
                    round(layer["gflops"]) or None,
                    layer["algorithm"],
                ),
                strict=True,
            )
        )
        for layer in costly
    ]
    columns = COLUMNS if record["ms"] else [name for name in COLUMNS if name not in MEASURED]
    print(table(rows, columns=columns, width=160))
    free = len(record["layers"]) - len(costly)
    if free:
        why = "cost nothing here: they run within the layer before"
        why = why if record["ms"] else "multiply nothing"
        print(f"{free} more layers {why} (--all).")
    print(
        f"{record['weights']:,} weights, {record['multiply_adds'] / 1e6:,.1f} million "
        f"multiply-adds for a picture of {'×'.join(map(str, record['picture']))}."
    )
    if record["ms"]:
        pictures = "1 picture" if record["batch"] == 1 else f"{record['batch']} pictures"
        print(
            f"{record['ms']:.3f} ms for {pictures}, the sum of each layer's fastest of "
            f"{record['runs']} runs: "
            f"{record['gflops']:.0f} GFLOP/s, on {record['cpu']}, {record['threads']} threads, "
            f"{record['precision']}.\n% is a share of that sum; "
            f"{record['other_ms']:.3f} ms of it belong to no layer (copies in and out)."
        )


def _short(name: str) -> str:
    """The end of a long name says more than its beginning."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _write_csv(record: dict[str, Any], path: Path) -> None:
    from darter.files import write_atomic

    text = StringIO()
    writer = csv.writer(text)
    names = [*record["layers"][0]]
    writer.writerow(names)
    for layer in record["layers"]:
        values = (layer[name] for name in names)
        writer.writerow(["x".join(map(str, v)) if isinstance(v, tuple) else v for v in values])
    write_atomic(path, text.getvalue())


def _write_page(
    record: dict[str, Any],
    found: "Analysis",
    path: Path,
    size: int | None,
    image: Path | None,
    html: Path,
) -> None:
    from darter.report import write_analysis

    if image is None:
        write_analysis(record, html)
        return
    from darter.model import look_of

    look = look_of(path, size=size)
    x = look(image)
    pixels = _shown(x, look)
    effective, note = _effective(found, path, size, x)
    write_analysis(record, html, picture=pixels, effective=effective, note=note)


def _shown(x: "NDArray[np.float32]", look: Any) -> "NDArray[np.uint8]":
    """The preprocessed picture (3, H, W) as a person sees it."""
    import numpy as np

    shape = (3, 1, 1)
    pixels = x * np.reshape(look.std, shape) + np.reshape(look.mean, shape)
    return (255 * np.clip(pixels, 0, 1)).round().astype(np.uint8).transpose(1, 2, 0)


def _effective(
    found: "Analysis", path: Path, size: int | None, x: "NDArray[np.float32]"
) -> tuple[dict[str, Any], str]:
    """Effective fields by layer; none, and why, without PyTorch."""
    try:
        from darter.arrange import effective_fields
    except ImportError:
        return {}, "The effective field needs PyTorch, which is not installed."
    from darter.model import graph_of

    local = [
        layer
        for layer in found.layers
        if len(layer.shape) == 4 and any(layer.stride) and (layer.ms or layer.weights)
    ]
    chosen = local[:: max(1, -(-len(local) // MOST_DRAWN))]
    tensors = {layer.name: layer.tensor for layer in chosen}
    try:
        fields = effective_fields(graph_of(path, size=size), x, set(tensors.values()))
    except DarterError as error:
        return {}, f"There is no effective field: {error}."
    return {name: fields[tensor] for name, tensor in tensors.items()}, ""
