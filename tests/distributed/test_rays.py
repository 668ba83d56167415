"""Members as Ray actors: trained along, killed, replaced; nothing is left when the chief dies."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from darter.distributed import RayCrew, Team
from tests.distributed.test_sync import PLAIN, Event, trained, weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def crew():
    made = RayCrew(3)
    yield made
    made.close()


def process_of(crew, member: int) -> int:
    return crew.ray.get(crew.hands[member].about)[1]


@pytest.mark.filterwarnings("ignore:worker", "ignore:.*joined")
def test_a_killed_actor_is_named_with_its_cause(crew):
    alone, team = trained(PLAIN), Team(crew, "sync")
    kill = Event(3, lambda: os.kill(process_of(crew, 1), signal.SIGKILL))
    together = trained(PLAIN, team, progress=kill)
    assert "worker 1 on" in team.events[0]
    assert "is lost (" in team.events[0]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*")
def test_training_goes_on_from_the_last_state_when_a_parameter_server_is_killed(crew):
    team = Team(crew, "async")

    def kill():
        name = crew.servers().names[0]
        crew.ray.kill(crew.ray.get_actor(name))

    fitted = trained(PLAIN.replace(epochs=40), team, progress=Event(20, kill))
    assert fitted.history[-1]["step"] == 200


CHIEF = """
from darter.distributed import RayCrew, Team
from tests.distributed.test_sync import PLAIN, trained
crew = RayCrew(2)
team = Team(crew, "sync")
class Tell:
    def planned(self, plan, step): ...
    def epoch(self, record): ...
    def step(self, step, *figures):
        if step == 3: print(crew.ray.get(crew.hands[1].about)[1], flush=True)
trained(PLAIN.replace(epochs=100000), team, progress=Tell())
"""


def test_members_end_when_the_chief_is_killed():
    chief = subprocess.Popen(
        [sys.executable, "-c", CHIEF], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    member = int(chief.stdout.readline())
    chief.kill()
    until = time.monotonic() + 60
    while Path(f"/proc/{member}").exists() and time.monotonic() < until:
        time.sleep(0.5)
    assert not Path(f"/proc/{member}").exists()
