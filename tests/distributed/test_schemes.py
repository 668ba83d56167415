"""Local rounds and the pipeline."""

import numpy as np
import pytest
import torch
from torch.distributed.pipelining import SplitPoint
from torch.distributed.pipelining._IR import annotate_split_points

from darter.distributed import Team
from darter.distributed.cut import balanced, bytes_passed, choose_cut, parts_of
from darter.distributed.local import MOST_ROUND, round_length
from darter.distributed.traced import uncut
from darter.errors import UnsupportedError
from tests.distributed.processes import Processes
from tests.distributed.test_sync import PLAIN, Event, trained, weights
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train


def test_a_round_is_long_where_exchanging_takes_long():
    assert round_length(exchange=0.001, step=0.1) == 1
    assert round_length(exchange=0.1, step=0.1) == 9  # a tenth of the time: 9 steps, 1 exchange
    assert round_length(exchange=100, step=0.1) == MOST_ROUND


@pytest.mark.parametrize("scheme", ["local", "diloco"])
def test_processes_step_alone_and_agree(scheme):
    problem = tiny_problem(train=88, val=30)
    recipe = QUICK.replace(epochs=6, patience=9)
    team = Team(Processes(1), scheme)
    fitted = train(tiny_model(), problem, recipe, world=team)
    assert [r["step"] for r in fitted.history] == [11 * k for k in range(7)]  # those of both
    assert fitted.history[-1]["val_loss"] < 0.9 * fitted.history[0]["val_loss"]
    assert set(team.crew.ended.values()) == {0}


@pytest.mark.filterwarnings("ignore:worker 1 on here")
def test_local_rounds_go_on_without_a_lost_worker():
    team = Team(Processes(2), "local")
    fitted = trained(PLAIN, team, progress=Event(4, lambda: team.crew.kill(1)))
    assert fitted.history[-1]["step"] == 10
    assert len(team.events) == 1


def test_cuts_balance_the_time():
    assert balanced([1, 1, 1, 1], 2) == [2]
    assert balanced([5, 1, 1, 1, 2], 2) == [1]
    assert balanced([1, 1, 4, 1, 1, 4], 3) == [2, 4]


def test_parts_of_a_batch_are_equal():
    assert parts_of(16, 2) == 4
    assert parts_of(15, 2) == 5
    assert parts_of(7, 4) == 7


def test_looking_for_cuts_leaves_the_statistics_of_norms_as_they_are():
    model = tiny_model().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pictures = torch.ones(2, 3, 16, 16)
    assert choose_cut(model, pictures, 2) == ["net.top"]
    assert bytes_passed(model, pictures, 2) == 2 * 8 * 8 * 8 * 4
    assert model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    with pytest.raises(UnsupportedError, match="needs as many blocks, tiny has 2"):
        choose_cut(model, pictures, 3)


FROZEN = QUICK.replace(optimizer="sgd", epochs=2, dropout=0.0, ema=0.9, norm_statistics="frozen")


def test_a_pipeline_computes_what_one_process_does():
    problem = tiny_problem(train=40)
    alone = train(tiny_model(), problem, FROZEN)
    team = Team(Processes(1), "pipeline")
    together = train(tiny_model(), problem, FROZEN, world=team)
    for one, other in zip(alone.history, together.history, strict=True):
        for figure in ("loss", "val_loss"):
            if one[figure] is not None:
                assert other[figure] == pytest.approx(one[figure], abs=1e-5)
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(together.val_logits, alone.val_logits, atol=1e-5)


class AfterEpoch(Event):
    """Between two epochs, where all parts of a net have just been brought together."""

    def step(self, step, *figures): ...
    def epoch(self, record):
        super().step(record["step"])


@pytest.mark.filterwarnings("ignore:worker 1 on here")
def test_a_pipeline_of_which_one_process_is_left_computes_the_same():
    problem = tiny_problem(train=40)
    alone = train(tiny_model(), problem, FROZEN)
    team = Team(Processes(1), "pipeline")
    killing = AfterEpoch(0, lambda: team.crew.kill(1))
    rest = train(tiny_model(), problem, FROZEN, world=team, progress=killing)
    assert len(team.events) == 1
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(rest)[name], value, rtol=1e-5, atol=1e-6)


def test_a_net_that_was_traced_is_as_it_was():
    model = tiny_model()
    cut = choose_cut(model, torch.ones(2, 3, 16, 16), 2)
    forward = model.get_submodule(cut[0]).forward
    with uncut(model, cut):
        annotate_split_points(model, dict.fromkeys(cut, SplitPoint.BEGINNING))
        assert model.get_submodule(cut[0]).forward != forward
    assert model.get_submodule(cut[0]).forward == forward
