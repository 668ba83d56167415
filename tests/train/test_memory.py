"""Where memory runs out in training."""

from typing import Any

import numpy as np
import pytest
import torch

from darter.train import OutOfMemory, enough_memory, out_of_memory
from darter.train import training as training_module
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

MORE_THAN_ADDRESSES = 1 << 50


@pytest.mark.parametrize("make", [torch.empty, np.empty])
def test_what_cannot_be_had_is_a_sentence(make):
    kind = {torch.empty: torch.uint8, np.empty: np.uint8}[make]
    with pytest.raises(OutOfMemory, match="than this process may take"), enough_memory():
        make(MORE_THAN_ADDRESSES, dtype=kind)


def test_other_errors_stay_as_they_are():
    with pytest.raises(RuntimeError, match="shapes") as caught, enough_memory():
        raise RuntimeError("shapes")
    assert out_of_memory(caught.value) is None


class Parted:
    """A world whose net does not fit this process, as far as anybody asks."""

    fits_one = False

    def threads(self, recipe: Any) -> Any:
        return recipe.threads

    def begin(self, task: Any, plan: Any) -> Any:
        return task.alone(plan)

    def end(self) -> None: ...


def test_no_step_of_a_net_that_does_not_fit_is_timed(monkeypatch):
    monkeypatch.setattr(training_module, "measure", lambda *given, **how: pytest.fail("was timed"))
    recipe = QUICK.replace(precision="auto")
    fitted = train(tiny_model(), tiny_problem(), recipe, world=Parted(), seconds=600.0)
    assert fitted.plan.precision == "float32"
    assert fitted.ended == "all epochs"
