"""`darter bench`: whole nets beside other runtimes, in use or in training, or convolutions."""

from pathlib import Path
from typing import Annotated, Any

import typer

NETS_PANEL, CONV_PANEL = "Whole nets", "Convolutions"
BATCHES = {"nets": "1,8", "conv": "1,2,4,8,16,32,64"}


def bench(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="nets, conv, or a model file (.onnx).")
    ] = "nets",
    net: Annotated[
        str | None,
        typer.Option(
            help="nets: names and model files, with commas between; with --training, names of "
            "timm and torchvision/NAME. conv: one of vgg-e, alexnet, resnet-50, googlenet, "
            "inception-v3.",
            show_default="all; conv: vgg-e",
        ),
    ] = None,
    batches: Annotated[
        str | None,
        typer.Option(
            help="Pictures at a time.",
            show_default="1,8; --training: 16; conv: 1,2,4,8,16,32,64",
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="float32, bfloat16, or int8: the files that ONNX Runtime's quantizer makes of the "
            "nets; of PyTorch, where convolutions are compared."
        ),
    ] = "float32",
    threads: Annotated[
        int | None,
        typer.Option(help="Threads; with 1, CPU time is measured.", show_default="all cores"),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="For one turn of one runtime; conv: for one row.", show_default="0.4; conv: 5"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Append the rows to this file, one JSON line each.")
    ] = None,
    peers: Annotated[
        Path | None,
        typer.Option(
            help="A Python with onnxruntime, openvino, MNN, ncnn and pnnx in it.",
            show_default="this one",
            rich_help_panel=NETS_PANEL,
        ),
    ] = None,
    runtimes: Annotated[
        str | None,
        typer.Option(
            help="Of eager, inductor, onnxruntime, openvino, ncnn and mnn; inductor compiles for "
            "minutes. --training: eager, inductor.",
            show_default="all but inductor; --training: both",
            rich_help_panel=NETS_PANEL,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Turns of each runtime.",
            show_default="6; --training: 3",
            rich_help_panel=NETS_PANEL,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the speedups into this .svg or .png.", rich_help_panel=NETS_PANEL),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the exported nets here.", rich_help_panel=NETS_PANEL),
    ] = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training",
            help="Time training steps, beside PyTorch eager and Inductor.",
            rich_help_panel=NETS_PANEL,
        ),
    ] = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Time every algorithm on every layer of the net.",
            rich_help_panel=CONV_PANEL,
        ),
    ] = False,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients",
            help="Time the gradients of typical layers, or of those of --net, beside PyTorch's.",
            rich_help_panel=CONV_PANEL,
        ),
    ] = False,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Error budget of darter's choice.",
            show_default="1e-5; bfloat16: 5e-3",
            rich_help_panel=CONV_PANEL,
        ),
    ] = None,
) -> None:
    """Measure this machine: darter beside other runtimes, or every convolution algorithm."""
    from darter.errors import OptionError
    from darter.kernels import threads as available

    if precision not in ("float32", "bfloat16", "int8"):
        raise OptionError(f"--precision is float32, bfloat16 or int8, got {precision!r}")
    if precision == "int8" and (what == "conv" or training):
        raise OptionError("--precision int8 is for whole nets in use, not for conv or --training")
    if threads is not None and threads < 1:
        raise OptionError(f"--threads takes a number of at least 1, got {threads}")
    if seconds is not None and seconds <= 0:
        raise OptionError(f"--seconds takes a number above 0, got {seconds:g}")
    if max_error is not None and not max_error > 0:
        raise OptionError(f"--max-error takes a number above 0, got {max_error:g}")
    _refuse_others(
        what,
        nets={
            "--peers": peers,
            "--runtimes": runtimes,
            "--rounds": rounds,
            "--plot": plot,
            "--folder": folder,
            "--training": training or None,
        },
        conv={
            "--layers": layers or None,
            "--gradients": gradients or None,
            "--max-error": max_error,
        },
    )
    if out is not None:  # it is written after hours of work
        from darter.bench import check_appendable

        check_appendable(out)
    if what == "conv":
        from darter.cli.bench_conv import convolutions

        if threads is not None:
            from darter.kernels import set_threads

            set_threads(threads)
        if layers and gradients:
            raise OptionError("--layers and --gradients are two measurements; give one of them")
        if (layers or gradients) and precision != "float32":
            what = "--layers" if layers else "--gradients"
            raise OptionError(f"{what} times float32 only; leave out --precision")
        if gradients:
            from darter.cli.bench_conv import conv_gradients

            conv_gradients(net, _numbers(batches or "16"), seconds or 1.0, max_error, out)
            return
        sizes = _numbers(batches or ("1" if layers else BATCHES["conv"]))
        convolutions(net or "vgg-e", sizes, precision, seconds or 5.0, layers, max_error, out)
        return
    if training:
        from darter.cli.bench_training import training_steps

        for name, value in (("--peers", peers), ("--folder", folder), ("--seconds", seconds)):
            if value is not None:
                raise OptionError(f"{name} is for nets in use; leave it out with --training")
        if what != "nets":
            raise OptionError(f"--training takes names of nets by --net, not {what}")
        training_steps(
            _names(net), _numbers(batches or "16"), _names(runtimes), precision=precision,
            threads=threads or available(), rounds=rounds or 3, out=out, plot=plot,
        )  # fmt: skip
        return
    if what != "nets" and not what.endswith(".onnx"):
        raise OptionError(f"cannot measure {what!r}; give nets, conv or a model file (.onnx)")
    from darter.cli.bench_nets import Plan, whole_nets

    if what != "nets" and net is not None:
        raise OptionError(f"{what} is what is measured; leave out --net, or give nets and --net")
    names = what if what != "nets" else net
    whole_nets(
        Plan(
            nets=_names(names),
            batches=_numbers(batches or BATCHES["nets"]),
            precision=precision,
            threads=threads or available(),
            runtimes=_names(runtimes),
            python=peers,
            rounds=rounds or 6,
            seconds=seconds or 0.4,
            folder=folder,
        ),
        out=out,
        plot=plot,
    )


def _refuse_others(what: str, *, nets: dict[str, Any], conv: dict[str, Any]) -> None:
    """Options of the other kind of measurement would be ignored."""
    from darter.errors import OptionError

    others, kind = (nets, "whole nets") if what == "conv" else (conv, "conv")
    for name, value in others.items():
        if value is not None:
            raise OptionError(f"{name} is for {kind}; leave it out with {what}")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _numbers(text: str) -> list[int]:
    from darter.errors import OptionError

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise OptionError(f"--batches takes numbers like 1,8,64, got {text!r}")
    return numbers
