"""A process is killed, or stops to answer: what `python -m tests.distributed.kills` does often."""

import time

import pytest
import torch.distributed as dist

from darter.cluster import LOOPBACK
from darter.distributed.link import Link
from darter.distributed.pulse import Pulse
from tests.distributed import kills


def store() -> dist.TCPStore:
    return dist.TCPStore(LOOPBACK, 0, is_master=True, wait_for_workers=False)


def test_a_silent_member_is_told_from_one_that_has_not_begun():
    shared = store()
    chief = Pulse(shared, 0)
    assert chief.silence(1) == 0  # never heard of
    shared.add("beat/1", 1)
    assert chief.silence(1) == 0
    time.sleep(0.05)
    assert chief.silence(1) > 0.04
    shared.add("beat/1", 1)
    assert chief.silence(1) == 0
    assert chief.silent([0, 1], seconds=2.0) == [1]
    chief.stop()


def test_a_member_without_a_chief_hears_the_end():
    master = store()
    client = dist.TCPStore(LOOPBACK, master.port, is_master=False)
    link = Link(client, 0, 1.0)
    master.wait(["beat/0"])
    del master
    assert link.next() == {"do": "end"}
    link.close()


def test_why_a_member_waits_is_read_once():
    link = Link(store(), 0, 1.0)
    link.wait_to_be_called("a parameter server is lost")
    assert link.idle(0) == "a parameter server is lost"
    assert link.idle(0) == ""
    link.close()


@pytest.mark.timeout(240)
def test_members_end_when_their_chief_is_killed_and_the_run_goes_on():
    verdict, _, words = kills.blow("sync", "chief killed", 0, (110, 1.0), steps=40)
    assert verdict == "right", words


@pytest.mark.timeout(240)
def test_training_goes_on_when_a_parameter_server_is_killed():
    verdict, _, words = kills.blow("async", "server killed", 0, (110, 1.0), steps=40)
    assert verdict == "right", words


@pytest.mark.slow
@pytest.mark.parametrize("scheme", list(kills.SCHEMES))
def test_random_moments(scheme):
    seconds, good = kills.undisturbed(scheme)
    for kind in kills.kinds_of(scheme):
        verdict, _, words = kills.blow(scheme, kind, 0.6 * seconds, good)
        assert verdict in ("right", "error"), f"{kind}: {words}"
