"""What is decided when a run starts: precision, steps, epochs, and the reason for each."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from darter.train.recipe import Recipe
from darter.transfer import Strategy

FEWEST_STEPS = 200  # "auto" epochs give even a tiny data set this many steps
WORTH_IT = 1.15  # 16-bit precision must be this many times faster than float32
LENGTHEN = 1.1  # a plan grows where this many times its steps fit into the time
SHARE_TO_PLAN = 0.9  # of the time limit; the rest absorbs a slower stretch


@dataclass(frozen=True)
class Plan:
    """The decisions of a run; saved with its checkpoint, so that a resumed run takes the same.

    steps: optimizer steps in all; the last epoch may be cut short by the time limit.
    wanted: steps that would be taken with all the time in the world.
    why: sentences for the report.   compute: what runs the steps, "pytorch" or "darter".
    """

    epochs: int
    steps: int
    wanted: int
    steps_per_epoch: int
    precision: str
    class_balance: str
    learning_rate: float
    why: tuple[str, ...] = ()
    compute: str = "pytorch"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> "Plan":
        return cls(**{**entries, "why": tuple(entries["why"])})


@dataclass(frozen=True)
class Speed:
    """Measured seconds: of one optimizer step by precision, of loading one step's pictures, of
    one evaluation of the validation pictures."""

    step: dict[str, float]
    load: float = 0.0
    evaluate: float = 0.0
    overlaps: bool = False  # loading hides behind computing: they run on different processors

    def seconds(self, precision: str) -> float:
        compute = self.step[precision]
        return max(compute, self.load) if self.overlaps else compute + self.load


def batches_per_epoch(pictures: int, batch_size: int) -> int:
    """Full batches only, so that no batch norm sees a remnant; at least one batch."""
    return max(1, pictures // batch_size)


def make_plan(
    recipe: Recipe,
    strategy: Strategy,
    *,
    pictures: int,
    class_balance: str,
    speed: Speed | None = None,
    seconds: float | None = None,
) -> Plan:
    """Decide from the recipe, the number of training pictures, measured speed and time limit.

    speed may be None where the recipe names a precision and there is no time limit.
    """
    batches = batches_per_epoch(pictures, int(recipe.batch_size))
    per_epoch = math.ceil(batches / recipe.accumulate)
    epochs, why = _wanted_epochs(recipe, strategy, per_epoch)
    precision = recipe.precision
    if speed is not None:
        precision, reason = choose_precision(speed)
        why += reason
    wanted = steps = epochs * per_epoch
    if seconds is not None and speed is not None:
        affordable = _affordable_steps(
            seconds * SHARE_TO_PLAN, per_epoch, speed.seconds(precision), speed.evaluate
        )
        if affordable < steps:
            steps, epochs = affordable, math.ceil(affordable / per_epoch)
            why += (
                f"{steps / per_epoch:.3g} epochs fit into {seconds:.0f} s "
                f"at {speed.seconds(precision):.3g} s per step",
            )
    rate = (
        strategy.default_learning_rate if recipe.learning_rate == "auto" else recipe.learning_rate
    )
    return Plan(epochs, steps, wanted, per_epoch, precision, class_balance, float(rate), why)


def replan(plan: Plan, step: int, elapsed: float, seconds: float) -> Plan:
    """Fewer steps where the run is slower than measured and would exceed its time limit; more,
    up to those wanted, where it is clearly faster.

    elapsed: seconds of the `step` steps so far, evaluations included.
    """
    affordable = int(seconds * SHARE_TO_PLAN * step / elapsed)
    if elapsed * plan.steps / step > seconds:
        steps = max(step + 1, affordable)
        reason = f"shortened to {steps} steps at step {step}: slower than measured at the start"
    elif plan.steps < plan.wanted and affordable > LENGTHEN * plan.steps:
        steps = min(plan.wanted, affordable)
        reason = f"lengthened to {steps} steps at step {step}: faster than measured at the start"
    else:
        return plan
    epochs = math.ceil(steps / plan.steps_per_epoch)
    return replace(plan, steps=steps, epochs=epochs, why=(*plan.why, reason))


def _wanted_epochs(
    recipe: Recipe, strategy: Strategy, per_epoch: int
) -> tuple[int, tuple[str, ...]]:
    if recipe.epochs != "auto":
        return recipe.epochs, ()
    enough = math.ceil(FEWEST_STEPS / per_epoch)
    if enough > strategy.epochs:
        return enough, (f"{enough} epochs: few pictures, so that there are {FEWEST_STEPS} steps",)
    return strategy.epochs, (f"{strategy.epochs} epochs: the strategy's default",)


def choose_precision(speed: Speed) -> tuple[str, tuple[str, ...]]:
    """The fastest by a margin, and why."""
    if len(speed.step) == 1:
        return next(iter(speed.step)), ()
    full = speed.step["float32"]
    half = next(name for name in speed.step if name != "float32")
    gain = full / speed.step[half]
    chosen = half if gain >= WORTH_IT else "float32"
    figures = f"{half} {speed.step[half]:.3g} s per step, float32 {full:.3g} s"
    return chosen, (f"{chosen}: measured {figures}",)


def _affordable_steps(seconds: float, per_epoch: int, per_step: float, evaluate: float) -> int:
    """Steps that fit into `seconds` with one evaluation at the end of each epoch; at least 1."""
    epoch = per_epoch * per_step + evaluate
    whole, rest = divmod(max(0.0, seconds), epoch)
    return max(1, int(whole) * per_epoch + max(0, int((rest - evaluate) / per_step)))
