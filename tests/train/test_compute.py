"""Trainings whose steps run in the compiled core."""

import pytest
import torch

from darter.errors import OptionError
from darter.train.compute import settle_compute
from darter.train.plan import Plan, Speed
from tests.train.run_tiny import RECIPE, Killer
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

CORE = QUICK.replace(compute="darter")


def weights(fitted):
    return [value for value in fitted.model.state_dict().values() if value.is_floating_point()]


def test_the_core_trains_as_pytorch_does():
    problem = tiny_problem()
    ours, theirs = (train(tiny_model(), problem, recipe) for recipe in (CORE, QUICK))
    assert ours.plan.compute == "darter" and theirs.plan.compute == "pytorch"
    losses = [[record["val_loss"] for record in f.history] for f in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_threads_change_no_bit(precision):
    problem, recipe = tiny_problem(), CORE.replace(precision=precision)
    one, two = (train(tiny_model(), problem, recipe.replace(threads=n)) for n in (1, 2))
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))


def test_the_core_says_what_it_cannot():
    problem = tiny_problem()
    with pytest.raises(OptionError, match='compute = "darter" trains in float32 and bfloat16'):
        train(tiny_model(), problem, CORE.replace(precision="fixed<2,14>"))


def test_the_core_trains_in_16_bits():
    problem = tiny_problem()
    short, wide = (
        train(tiny_model(), problem, CORE.replace(precision=p)) for p in ("bfloat16", "float32")
    )
    assert short.plan.compute == "darter" and short.plan.precision == "bfloat16"
    losses = [[record["val_loss"] for record in f.history] for f in (short, wide)]
    assert losses[0] == pytest.approx(losses[1], rel=5e-2)
    assert not all(torch.equal(a, b) for a, b in zip(weights(short), weights(wide), strict=True))


def plan_of(steps):
    return Plan(1, steps, steps, steps, "float32", "none", 0.01)


def test_long_trainings_take_what_is_faster():
    speed = Speed({"float32": 1.0, "bfloat16": 0.95})

    def must_not(precision: str) -> float:
        raise AssertionError("a short training measures nothing")

    assert settle_compute(plan_of(10), speed, None, must_not)[1] == "pytorch"
    assert settle_compute(plan_of(1000), speed, 20.0, must_not)[1] == "pytorch"
    faster, compute, why = settle_compute(plan_of(1000), speed, None, lambda precision: 0.5)
    assert compute == "darter" and faster.step == {"float32": 0.5, "bfloat16": 0.5}
    assert why == (
        "the core computes: measured 0.5 s per step in the compiled core, 1 s in PyTorch",
    )
    assert settle_compute(plan_of(1000), speed, None, lambda precision: 0.95)[1] == "pytorch"
    core = {"float32": 0.95, "bfloat16": 0.6}
    faster, compute, why = settle_compute(plan_of(1000), speed, None, core.__getitem__)
    assert compute == "darter" and faster.step == core and "measured 0.6 s" in why[0]

    def refuses(precision: str) -> float:
        raise OptionError("compiled: torch.export cannot trace this net")

    speed, compute, why = settle_compute(plan_of(1000), speed, None, refuses)
    assert compute == "pytorch" and "cannot trace" in why[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stopped_run_ends_in_the_same_bits(tmp_path, precision):
    problem = tiny_problem(train=88)
    recipe = RECIPE.replace(compute="darter", epochs=3, precision=precision)
    whole = train(tiny_model(), problem, recipe)

    class Enough(Exception):
        pass

    class Stopper(Killer):
        def step(self, step, *figures):
            if step >= self.at_step:
                raise Enough

    with pytest.raises(Enough):
        train(
            tiny_model(), problem, recipe, out=tmp_path, progress=Stopper(8, 0),
            checkpoint_seconds=0.0,
        )  # fmt: skip
    resumed = train(tiny_model(), problem, recipe, out=tmp_path, resume=True)
    assert len(list((tmp_path / "checkpoints").iterdir())) > 0
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
