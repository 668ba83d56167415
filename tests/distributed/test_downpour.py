"""The parameter server: what a push does, and a training of workers that do not wait."""

import numpy as np
import pytest
import torch

from darter.distributed import Team
from darter.distributed.servers import Group, Part, Server, divided, remaining_momentum
from tests.distributed.processes import Processes
from tests.distributed.test_sync import Event, trained
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

FLAT = QUICK.replace(optimizer="sgd", momentum=0.0, schedule="constant", warmup=0.0, ema=0.0)
FIGURES = (1.0, 2.0, 4)


def server(workers=2, **options) -> Server:
    made = Server(Part((Group(("w",), 0.1, 0.0),), ("mean",)), FLAT, workers, **options)
    state = {"w": np.ones(3, np.float32), "mean": np.zeros(1, np.float32)}
    made.load({"learned": state, "average": {}, "updates": 0, "optimizer": {}}, 0, 100)
    return made


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


def test_a_gradient_as_late_as_with_equal_workers_moves_by_the_whole_rate():
    made = server(workers=4)
    for stale, moved in [(0, 0.1)] * 6 + [(3, 0.1), (6, 0.05)]:
        before = made.pull()[1]["w"]
        assert made.push(made.pull()[0] - stale, gradient(1.0), FIGURES) == (True, False)
        np.testing.assert_allclose(before - made.pull()[1]["w"], moved, rtol=1e-5)


def test_momentum_that_workers_add_is_left_out():
    assert remaining_momentum(0.9, 1) == 0.9
    assert remaining_momentum(0.9, 2) == pytest.approx(0.4)
    assert remaining_momentum(0.9, 16) == 0.0


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
    parts = divided([Group(("a", "b"), 1, 0), Group(("c", "d"), 2, 0)], ["s"], sizes, 2)
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
        last.push(last.pull()[0], {}, FIGURES)

    fitted = trained(QUICK.replace(epochs=3), team, progress=Event(2, push_to_the_last))
    assert fitted.history[-1]["step"] == 15


@pytest.mark.timeout(60)
def test_a_worker_whose_call_failed_is_called_again():
    team = Team(Processes(1), "async")
    team.crew.servers().failing = 3
    fitted = trained(QUICK.replace(epochs=3), team)
    assert fitted.history[-1]["step"] == 15
