"""What runs the steps of a training: PyTorch, or darter's compiled core."""

import copy
import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from darter.errors import DarterError, OptionError
from darter.train.compiled import compiled
from darter.train.device import place
from darter.train.loss import Loss
from darter.train.noisy import train_mode
from darter.train.plan import Plan, Speed, choose_precision
from darter.train.recipe import Recipe
from darter.train.world import Batches
from darter.transfer import Strategy, TransferModel

WORTH_MEASURING = 60.0  # seconds of training with PyTorch; tracing a net and trying it take some
WORTH_IT = 1.1  # times as fast, from which the core is taken
PRECISIONS = ("auto", "float32", "bfloat16")  # of recipes whose steps the core may run
REPEATS = 2  # timed steps, after one that traces the net


def check_compute(recipe: Recipe, device: torch.device, alone: bool) -> None:
    """Raise OptionError where the recipe asks the core for what it cannot do."""
    if recipe.compute != "darter":
        return
    why = None
    if device.type != "cpu":
        why = f"computes on CPUs, and the device is {device.type}"
    elif recipe.precision not in PRECISIONS:
        why = f"trains in float32 and bfloat16, and the precision is {recipe.precision}"
    elif recipe.weights_in != "float32":
        why = f"trains float32 weights, and they are kept in {recipe.weights_in}"
    elif not alone:
        why = "trains in one process, and several were asked for"
    if why is not None:
        raise OptionError(f'compute = "darter" {why}; use "auto" or "pytorch"')


def may_compile(recipe: Recipe, device: torch.device, alone: bool) -> bool:
    """Whether "auto" may try the core at all."""
    fits = recipe.precision in PRECISIONS and recipe.weights_in == "float32"
    return recipe.compute == "auto" and device.type == "cpu" and fits and alone


def settle_compute(
    plan: Plan, speed: Speed, seconds: float | None, measured: Callable[[str], float]
) -> tuple[Speed, str, tuple[str, ...]]:
    """Whether the core runs the steps of this plan: the speed to plan with, its name, and why.

    measured: times a step in the core, of a precision; asked only where the training is long
    enough, of those that PyTorch's steps were timed in.
    """
    theirs = speed.step[choose_precision(speed)[0]]
    expected = min(plan.wanted * theirs, seconds or float("inf"))
    if expected < WORTH_MEASURING:
        return speed, "pytorch", ()
    try:
        core = replace(speed, step={precision: measured(precision) for precision in speed.step})
    except DarterError as error:  # a net that cannot be traced
        return speed, "pytorch", (f"PyTorch computes: {error}",)
    ours = core.step[choose_precision(core)[0]]
    figures = f"measured {ours:.3g} s per step in the compiled core, {theirs:.3g} s in PyTorch"
    if ours * WORTH_IT > theirs:
        return speed, "pytorch", (f"PyTorch computes: {figures}",)
    return core, "darter", (f"the core computes: {figures}",)


def measure_compiled(
    model: TransferModel,
    strategy: Strategy,
    loss: Loss,
    train: Batches,
    *,
    precision: str,
    accumulate: int,
    channels_last: bool,
) -> float:
    """Seconds of one optimizer step's forward and backward passes in the core, on a copy."""
    cpu = torch.device("cpu")
    batches = train.epoch(0)
    batch = next(itertools.islice(batches, 1))
    batches.close()
    images = place(batch.images, cpu, channels_last)
    targets = loss.targets(torch.from_numpy(batch.targets))
    model = copy.deepcopy(model)
    train_mode(model, strategy)
    net = compiled(model, images, precision=precision)
    net.training = True
    times = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        model.zero_grad()
        loss(net(images), targets).backward()
        times.append(time.perf_counter() - started)
    return accumulate * min(times[1:])
