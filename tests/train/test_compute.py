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


def test_threads_change_no_bit():
    problem = tiny_problem()
    one, two = (train(tiny_model(), problem, CORE.replace(threads=n)) for n in (1, 2))
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))


def test_the_core_says_what_it_cannot():
    problem = tiny_problem()
    with pytest.raises(OptionError, match='compute = "darter" trains in float32'):
        train(tiny_model(), problem, CORE.replace(precision="bfloat16"))


def plan_of(steps):
    return Plan(1, steps, steps, steps, "float32", "none", 0.01)


def test_long_trainings_take_what_is_faster():
    speed = Speed({"float32": 1.0, "bfloat16": 0.95})

    def must_not() -> float:
        raise AssertionError("a short training measures nothing")

    assert settle_compute(plan_of(10), speed, None, must_not)[1] == "pytorch"
    assert settle_compute(plan_of(1000), speed, 20.0, must_not)[1] == "pytorch"
    faster, compute, why = settle_compute(plan_of(1000), speed, None, lambda: 0.5)
    assert compute == "darter" and faster.step == {"float32": 0.5}
    assert why == (
        "the core computes: measured 0.5 s per step in the compiled core, 1 s in PyTorch",
    )
    assert settle_compute(plan_of(1000), speed, None, lambda: 0.95)[1] == "pytorch"

    def refuses() -> float:
        raise OptionError("compiled: torch.export cannot trace this net")

    speed, compute, why = settle_compute(plan_of(1000), speed, None, refuses)
    assert compute == "pytorch" and "cannot trace" in why[0]


def test_a_stopped_run_ends_in_the_same_bits(tmp_path):
    problem, recipe = tiny_problem(train=88), RECIPE.replace(compute="darter", epochs=3)
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
