"""`darter train`: a folder of pictures in, a trained classifier and its report out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darter.errors import OptionError
from darter.names import to_json

if TYPE_CHECKING:
    from darter.train import Recipe

DEFAULT_TIME = "10m"


def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="A folder per class, train/ val/ test/ above that, pictures with boxes "
            "(VOC, COCO, YOLO), or a CSV (path,label or path,caption).",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for this run.  [default: darter-runs/NAME-1]")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="Time for the whole run, about: 90s, 10m or 1h30m.", show_default=DEFAULT_TIME
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="Test split: a subfolder such as val, another folder, or a CSV."),
    ] = None,
    unknown: Annotated[
        Path | None,
        typer.Option(
            help='Folder of pictures of anything else, to be answered with "unknown"; they are no '
            "class. A folder unknown/ beside two classes or more is found by itself; none: it is a "
            "class."
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="What to train, instead of comparing them: linear-probe, linear-probe-all-layers, "
            "fine-tune-last, fine-tune-first, fine-tune-all, scratch or binary."
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Pretrained net: a timm name, torchvision/NAME, or auto: the one "
            "of those on this computer that gains more than it costs."
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            help="For pictures with boxes: one-stage, faster-rcnn, or auto, which measures both."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of the backbone: .safetensors or .pth.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe.toml with any of the settings.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pictures.")] = None,
    size: Annotated[int | None, typer.Option(help="Input pixels on each side.")] = None,
    crop: Annotated[
        str | None, typer.Option(help="center cuts the edges off, squash and pad keep them.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same gives the same result, unless time cuts it short.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, mps or auto.  [default: auto]")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads for computing.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help='float32, bfloat16, fixed point such as "fixed<2,14>"; or int8: trained in '
            "float32, written in 8 bits."
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="With --precision int8: points of validation accuracy that it may cost.",
            show_default="0.5",
        ),
    ] = None,
    compute: Annotated[
        str | None,
        typer.Option(help="What runs training steps on a CPU: pytorch, darter or auto."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that train together, this one included.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Train on the machines of this Ray cluster: HOST:PORT, or auto."),
    ] = None,
    parallel: Annotated[
        str | None,
        typer.Option(
            help="How workers share the training: sync, sync16, async, local, diloco or pipeline.",
            show_default="auto",
        ),
    ] = None,
    ensemble: Annotated[
        int | None, typer.Option(help="Models in one file, trained in the same time.")
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            help="Make the model faster afterwards, within 35% of --time: to 60% of its time, or "
            "5ms for one picture."
        ),
    ] = None,
    file_size: Annotated[
        str | None, typer.Option(help="Make the model file no larger than this: 5MB.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was interrupted.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress: the result and errors only.")
    ] = False,
) -> None:
    """Make a classifier from labelled pictures: audit, split, choose, train, prove, report.

    Ends with a folder that holds model.onnx and report.html. Progress goes to stderr, the result
    to stdout.
    """
    from darter.distributed import Machines, is_member, serve
    from darter.job import (
        JobOptions,
        Screen,
        outcome,
        parse_seconds,
        resume_job,
        run_job,
        show_outcome,
    )
    from darter.train import Recipe

    if is_member():
        serve()
        return
    screen = Screen(quiet=quiet)
    machines = None
    if workers or cluster or parallel:
        machines = Machines(workers, cluster, parallel or "auto")
    given = {
        "strategy": strategy,
        "backbone": backbone,
        "detector": detector,
        "weights": None if weights is None else str(weights),
        "epochs": epochs,
        "size": size,
        "crop": crop,
        "seed": seed,
        "device": device,
        "threads": threads,
        "precision": None if precision == "int8" else precision,
        "compute": compute,
        "ensemble": ensemble,
    }
    if resume is not None:
        if data is not None:
            raise OptionError("--resume RUN goes on with its own pictures; leave DIR out.")
        others = given | {
            "out": out,
            "test": test,
            "unknown": unknown,
            "recipe": recipe,
            "time": time,
            "speed": speed,
            "file-size": file_size,
            "max-drop": max_drop,
            "precision": precision if precision == "int8" else None,
        }
        named = [f"--{name}" for name, value in others.items() if value is not None]
        if named:
            raise OptionError(
                f"--resume RUN goes on with its own options; leave {', '.join(named)} out, or "
                "start a new run with them."
            )
        folder = resume_job(resume, screen, machines)
    elif data is None:
        raise OptionError("name a folder of pictures, e.g. darter train photos/")
    else:
        base = Recipe() if recipe is None else Recipe.load(recipe)
        chosen, seconds = with_options(base, given), parse_seconds(time or DEFAULT_TIME)
        strangers = None if unknown is None else str(unknown)
        options = JobOptions(str(data), test, seconds, chosen, machines or Machines(), strangers,
                             speed, file_size, precision == "int8", max_drop)  # fmt: skip
        folder = run_job(options, out, screen)
    if json:
        print(to_json(outcome(folder), indent=1))
    else:
        show_outcome(folder, Screen.of_results())


def with_options(base: "Recipe", given: dict[str, Any]) -> "Recipe":
    """The recipe with what was given on the command line; an error speaks of the option."""
    for name, value in given.items():
        if value is not None:
            try:
                base = base.replace(**{name: value})
            except OptionError as error:
                words = str(error).replace(f"recipe: {name} = {value!r}", f"--{name} {value}")
                raise OptionError(words) from None
    return base
