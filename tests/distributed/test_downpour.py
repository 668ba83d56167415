"""The parameter server: what a push does, and a training of workers that do not wait."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from darter.distributed import Team
from darter.distributed.downpour import alone, clip, mean
from darter.distributed.servers import (
    Group,
    Part,
    Server,
    divided,
    remaining_momentum,
    usual_staleness,
)
from darter.distributed.shares import parts_in_turn
from darter.distributed.statistics import shares_replaced
from tests.distributed.processes import Processes
from tests.distributed.test_sync import Event, trained
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

FLAT = QUICK.replace(optimizer="sgd", momentum=0.0, schedule="constant", warmup=0.0, ema=0.0)
FIGURES = (1.0, 2.0, FLAT.batch_size)
PART = (1.0, 1.0, FLAT.batch_size // 4)


def server(usual=1.0, **options) -> Server:
    made = Server(Part((Group(("w",), 0.1, 0.0),), {"mean": 0.5}), FLAT, usual, **options)
    state = {"w": np.ones(3, np.float32), "mean": np.zeros(1, np.float32)}
    made.load({"learned": state, "average": {}, "updates": 0, "optimizer": {}}, 0, 100)
    return made


@dataclass
class Rank:
    rank: int
    size: int


def gradient(value: float) -> dict[str, np.ndarray]:
    return {"w": np.full(3, value, np.float32), "mean": np.full(1, value, np.float32)}


def test_a_fresh_gradient_moves_by_the_rate_and_a_stale_one_by_less():
    made = server()
    for stale, moved in enumerate([0.1, 0.1, 0.05]):  # of 0, 1 and 2 updates ago
        before = made.pull()[1]["w"]
        assert made.push(made.pull()[0] - stale, gradient(1.0), FIGURES) == (True, False)
        np.testing.assert_allclose(before - made.pull()[1]["w"], moved, rtol=1e-5)
    assert made.state()["staleness"] == {0: 1, 1: 1, 2: 1}
    np.testing.assert_allclose(made.pull()[1]["mean"], 1 - 0.5**3)  # half the way, each time


def test_parts_of_a_batch_move_weights_together():
    made = server()
    for value in (1.0, 2.0, 3.0):
        assert made.push(0, gradient(value), PART) == (True, False)
        version, weights = made.pull()
        assert version == 0
        np.testing.assert_array_equal(weights["w"], 1.0)
    made.push(0, gradient(4.0), PART)
    version, weights = made.pull()
    assert version == 1
    np.testing.assert_allclose(weights["w"], 1 - 0.1 * 2.5, rtol=1e-6)
    assert made.progress(100) == (1, [PART] * 4, "")
    np.testing.assert_allclose(weights["mean"], 4519 / 4096)  # an eighth of the way, each time


def test_parts_that_do_not_add_up_to_batches_do_so_in_the_long_run():
    made = server()
    most = 3 * FLAT.batch_size // 4
    for _ in range(8):
        made.push(made.pull()[0], gradient(1.0), (1.0, 1.0, most))
    version, weights = made.pull()
    assert version == 6
    np.testing.assert_allclose(weights["w"], 1 - 0.1 * 6, rtol=1e-5)


def test_a_late_part_counts_less_than_the_others_of_its_batch():
    made = server()
    for _ in range(4):
        made.push(made.pull()[0], gradient(0.0), FIGURES)
    before = made.pull()[1]["w"]
    for version, value in [(4, 1.0), (3, 1.0), (2, 1.0), (0, 1.0)]:
        made.push(version, gradient(value), PART)
    moved = 0.1 * (1 + 1 + 1 / 2 + 1 / 4) / 4
    np.testing.assert_allclose(before - made.pull()[1]["w"], moved, rtol=1e-5)


@pytest.mark.parametrize(("pictures", "processes", "parts"), [(32, 4, 4), (32, 11, 4), (3, 2, 1)])
def test_all_processes_together_take_each_picture_of_each_batch_once(pictures, processes, parts):
    batches = [np.arange(pictures) + pictures * k for k in range(processes)]
    taken = [parts_in_turn(Rank(k, processes))(batches) for k in range(processes)]
    assert {len(own) for own in taken} == {parts}
    together = np.concatenate([part for own in taken for part in own])
    assert sorted(together) == list(range(pictures * processes))
    first = [own[0] for own in taken]  # those of a batch are taken at about the same time
    assert all(part.max() < pictures * -(-processes // parts) for part in first)


def test_lateness_follows_from_the_pushes_of_others():
    assert usual_staleness(32, 1) == 0
    assert usual_staleness(32, 4) == 3 / 4
    assert usual_staleness(32, 17) == 4  # parts of eight pictures are the smallest
    assert usual_staleness(3, 4) == 3


def test_a_part_is_clipped_as_its_batch_would_be():
    for share, norm in [(1, 1.0), (1 / 4, 2.0)]:
        weight = torch.nn.Parameter(torch.zeros(2))
        weight.grad = torch.tensor([30.0, 40.0])
        clip([weight], 1.0, share)
        assert weight.grad.norm().item() == pytest.approx(norm)
    clip([weight], 0, 1)
    assert weight.grad.norm().item() == pytest.approx(2.0)


@pytest.mark.parametrize("passes", [1, 3])
def test_statistics_are_pushed_as_of_the_last_pictures(passes):
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2, momentum=None))
    replaced = shares_replaced(net, dict(net.named_buffers()), passes)
    assert replaced["1.running_mean"] == replaced["0.num_batches_tracked"] == 1
    net[0].running_mean.fill_(7.0)
    before = {name: value.clone() for name, value in net.named_buffers()}
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    for _ in range(passes):
        net(x)
    pushed = alone(before, dict(net.named_buffers()), replaced)
    np.testing.assert_allclose(pushed["0.running_mean"], [2.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(pushed["0.running_var"], [2.0, 8.0], rtol=1e-5)
    assert pushed["0.num_batches_tracked"] == passes
    np.testing.assert_allclose(pushed["1.running_mean"], 0, atol=1e-6)  # as the net has it


def test_a_step_tells_what_its_pictures_do():
    told = mean([(1.0, 3.0, 4), (2.5, 0.0, 2)], whole=12)
    assert (told.loss, told.correct, told.pictures) == (1.5, 6.0, 12)


def test_a_gradient_as_late_as_with_equal_workers_moves_by_the_whole_rate():
    made = server(usual=3.0)
    for stale, moved in [(0, 0.1)] * 6 + [(3, 0.1), (6, 0.05)]:
        before = made.pull()[1]["w"]
        assert made.push(made.pull()[0] - stale, gradient(1.0), FIGURES) == (True, False)
        np.testing.assert_allclose(before - made.pull()[1]["w"], moved, rtol=1e-5)


def test_momentum_that_workers_add_is_left_out():
    assert remaining_momentum(0.9, 0) == 0.9
    assert remaining_momentum(0.9, 1) == pytest.approx(0.4)
    assert remaining_momentum(0.9, 15) == 0.0


def test_what_is_staler_than_the_bound_is_not_used():
    made = server(most_stale=1)
    for _ in range(3):
        made.push(made.pull()[0], gradient(1.0), FIGURES)
    before = made.pull()
    assert made.push(1, gradient(1.0), FIGURES) == (False, False)
    assert made.pull()[0] == before[0] == 3
    assert made.state()["rejected"] == 1


def test_training_ends_at_the_limit():
    made = server()
    made.progress(2)
    assert made.push(0, gradient(1.0), FIGURES) == (True, False)
    assert made.push(1, gradient(1.0), FIGURES) == (True, True)
    assert made.push(2, gradient(1.0), FIGURES) == (False, True)
    assert made.progress(2) == (2, [FIGURES, FIGURES], "")


def test_parts_are_of_about_the_same_size():
    sizes = {"a": 50, "b": 30, "c": 20, "d": 5, "s": 1}
    parts = divided([Group(("a", "b"), 1, 0), Group(("c", "d"), 2, 0)], {"s": 0.1}, sizes, 2)
    assert sorted(sum(sizes[n] for n in part.names) for part in parts) == [51, 55]
    assert sorted(n for part in parts for n in part.names) == sorted(sizes)


def test_workers_train_without_waiting(tmp_path):
    problem = tiny_problem(train=88, val=30)
    team = Team(Processes(2), "async")
    recipe = QUICK.replace(epochs=6, patience=9, norm_statistics="updated")
    fitted = train(tiny_model(), problem, recipe, world=team, out=tmp_path)
    assert [r["step"] for r in fitted.history] == [11 * k for k in range(7)]
    assert fitted.history[-1]["val_loss"] < 0.9 * fitted.history[0]["val_loss"]
    assert sum(team.record["staleness"].values()) == 66
    saved = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    assert saved["optimizer"]["state"]  # the servers' averages of gradients came home
    resumed = train(tiny_model(), problem, recipe, world=None, out=tmp_path, resume=True)
    assert resumed.history[-1]["val_loss"] == fitted.history[-1]["val_loss"]


@pytest.mark.filterwarnings("ignore:worker 1 on here")
def test_others_go_on_without_a_lost_worker():
    team = Team(Processes(2), "async")
    fitted = trained(QUICK.replace(epochs=30), team, progress=Event(4, lambda: team.crew.kill(1)))
    assert fitted.history[-1]["step"] == 150


@pytest.mark.timeout(60)
def test_workers_go_on_until_every_server_is_done():
    """As where one was killed between its pushes: a server has an update that others have not."""
    team = Team(Processes(1), "async")

    def push_to_the_last():
        *_, last = team.crew.servers().known.values()
        last.push(last.pull()[0], {}, (1.0, 2.0, QUICK.batch_size))

    fitted = trained(QUICK.replace(epochs=3), team, progress=Event(2, push_to_the_last))
    assert fitted.history[-1]["step"] == 15


@pytest.mark.timeout(60)
def test_a_worker_whose_call_failed_is_called_again():
    team = Team(Processes(1), "async")
    team.crew.servers().failing = 3
    fitted = trained(QUICK.replace(epochs=3), team)
    assert fitted.history[-1]["step"] == 15
