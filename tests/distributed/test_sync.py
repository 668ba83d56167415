"""Several processes take the steps that one process takes on the joined batch."""

import os
import signal

import pytest
import torch

from darter.distributed import Team, WorkerError
from darter.distributed import team as team_module
from darter.transfer import STRATEGIES
from tests.distributed.processes import Processes
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

SCRATCH = STRATEGIES["scratch"]  # its batch norms follow the pictures
PLAIN = QUICK.replace(optimizer="sgd", dropout=0.0, ema=0.9, epochs=2)


def weights(fitted):
    return {name: value.clone() for name, value in fitted.model.state_dict().items()}


def trained(recipe, world=None, problem=None, **options):
    problem = problem or tiny_problem(train=44)
    return train(tiny_model(), problem, recipe, SCRATCH, world=world, **options)


@pytest.mark.parametrize("recipe", [PLAIN, PLAIN.replace(accumulate=2, batch_size=7)])
def test_steps_are_those_of_one_process(recipe):
    alone, team = trained(recipe), Team(Processes(2))
    together = trained(recipe, team)
    assert [r["step"] for r in together.history] == [r["step"] for r in alone.history]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)
    for one, other in zip(alone.history, together.history, strict=True):
        assert one["train_accuracy"] == other["train_accuracy"]
        assert one["val_loss"] == pytest.approx(other["val_loss"], abs=1e-5)
    assert set(team.crew.ended.values()) == {0}


def test_gradients_in_two_bytes_are_nearly_the_same():
    recipe = PLAIN.replace(epochs=1)
    alone, team = weights(trained(recipe)), Team(Processes(1), "sync16")
    together = weights(trained(recipe, team))
    changed = [n for n in alone if not torch.equal(alone[n], together[n])]
    assert changed, "gradients were rounded"
    for name in changed:
        torch.testing.assert_close(together[name], alone[name], rtol=2e-2, atol=2e-3)


class Event:
    """Does something once, when a step is done."""

    def __init__(self, at: int, what):
        self.at, self.what, self.done = at, what, False

    def planned(self, plan, step): ...
    def epoch(self, record): ...

    def step(self, step, *figures):
        if not self.done and step >= self.at:
            self.done = True
            self.what()


NOISY = PLAIN.replace(dropout=0.3, mixup=0.2, optimizer="adamw", patience=9)


def test_same_workers_same_bits():
    first, second = (weights(trained(NOISY, Team(Processes(2)))) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.filterwarnings("ignore:worker 1 on here")
def test_a_lost_worker_is_named_and_its_work_done_again():
    alone, team = trained(PLAIN), Team(Processes(2))
    together = trained(PLAIN, team, progress=Event(3, lambda: team.crew.kill(1)))
    assert len(team.events) == 1
    assert "worker 1 on here (process " in team.events[0]
    assert "is lost (exit code -9); its work is done again, 2 processes train on" in team.events[0]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*joined")
def test_a_new_worker_joins_at_the_next_epoch():
    alone, team = trained(PLAIN), Team(Processes(1))

    def hire():
        new = team.crew.hire()
        team.link.store.wait([f"ready/{new}"])

    together = trained(PLAIN, team, progress=Event(3, hire))
    assert team.events == ["1 process joined; 3 processes train now"]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*joined", "ignore:sync")
def test_a_new_worker_learns_which_scheme_was_chosen(monkeypatch):
    monkeypatch.setattr(team_module, "choose", lambda *given, **how: ("sync", "sync: as told"))
    alone, team = trained(PLAIN), Team(Processes(1), "auto")

    def hire():
        new = team.crew.hire()
        team.link.store.wait([f"ready/{new}"])

    together = trained(PLAIN, team, progress=Event(3, hire), seconds=600)
    assert team.events == ["sync: as told", "1 process joined; 3 processes train now"]
    assert set(team.crew.ended.values()) == {0}
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


class Stopped(Processes):
    """Whose members never get to work."""

    def hire(self) -> int:
        number = super().hire()
        os.kill(self.running[number].pid, signal.SIGSTOP)
        return number

    def dismiss(self) -> None:
        for process in self.running.values():
            process.kill()
        super().dismiss()


@pytest.mark.filterwarnings("ignore:worker 1 on here")
def test_training_begins_without_a_worker_that_gives_no_sign_of_life(monkeypatch):
    monkeypatch.setattr(team_module, "PATIENCE", 0.3)
    alone, team = trained(PLAIN), Team(Stopped(1))
    together = trained(PLAIN, team)
    assert len(team.events) == 1 and "has given no sign of life" in team.events[0]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


def test_a_run_is_resumed_with_another_number_of_workers(tmp_path):
    def stop():
        raise KeyboardInterrupt

    alone = trained(PLAIN)
    options = {"out": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        trained(PLAIN, Team(Processes(1)), progress=Event(7, stop), **options)
    together = trained(PLAIN, Team(Processes(2)), resume=True, **options)
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


def test_without_elastic_processes_the_error_names_the_worker():
    team = Team(Processes(2, elastic=False))
    said = r"worker 2 on here \(process \d+\) is lost \(exit code -9\)"
    with pytest.raises(WorkerError, match=said):
        trained(PLAIN, team, progress=Event(3, lambda: team.crew.kill(2)))
