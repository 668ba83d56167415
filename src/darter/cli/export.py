"""`darter export`: a model file for another runtime."""

from pathlib import Path
from typing import Annotated

import typer

from darter.cli import options
from darter.errors import OptionError
from darter.files import check_writable


def export(
    model: options.ModelPath,
    out: Annotated[
        Path | None,
        typer.Argument(help="The file to write.", show_default="MODEL-pixels.onnx beside it"),
    ] = None,
    with_preprocessing: Annotated[
        bool,
        typer.Option(
            "--with-preprocessing",
            help="Take decoded pictures, uint8 (H, W, 3) of any size; give probabilities.",
        ),
    ] = False,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
) -> None:
    """Write a model with its preprocessing inside, for ONNX Runtime and others.

    The new file takes the bytes of a decoded picture of any size and gives darter's own
    probabilities, so that nothing around it can be done otherwise.
    """
    if not with_preprocessing:
        raise OptionError(
            "say what to write: --with-preprocessing. (As it is, the model file is plain ONNX "
            "already, and other runtimes take it.)"
        )
    from darter.model import export_with_preprocessing, model_file

    source = model_file(model)
    out = source.with_name(f"{source.stem}-pixels.onnx") if out is None else out
    if out.resolve() == source.resolve():
        raise OptionError(f"{out} is the model itself; name another file to write")
    check_writable(out)
    session = options.open_model(model, None, classes, size, mean, std, precision="float32")
    proof = export_with_preprocessing(session, source, out)
    print(f"{out}: takes uint8 (H, W, 3), gives {len(session.info.classes)} probabilities")
    if proof is None:
        typer.echo(
            "note: not tried in ONNX Runtime, which is not installed here (the [ort] extra)",
            err=True,
        )
    else:
        print(
            f"on {proof.pictures} pictures ONNX Runtime gives darter's probabilities; the largest "
            f"difference is {proof.max_probability_difference:.1g}"
        )
