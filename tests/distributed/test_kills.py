"""A process is killed, or stops to answer: what `python -m tests.distributed.kills` does often."""

import os
import random
import signal
import threading
import time
from contextlib import closing

import pytest
import torch.distributed as dist

from darter.cluster import LOOPBACK, listen, machines_of, start_ray
from darter.distributed import link, pulse
from darter.distributed.link import Link
from darter.distributed.pulse import Pulse
from darter.distributed.ray_servers import RayServers
from darter.distributed.servers import Part, ServerProcess
from tests.distributed import kills
from tests.distributed.processes import SERVER
from tests.train.tiny import QUICK

MOMENTS = 2  # of each kind; more by `python -m tests.distributed.kills`


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
    own = Link(client, 0, 1.0)
    master.wait(["beat/0"])
    del master
    assert own.next() == {"do": "end"}
    own.close()


def keep_store(pipe):
    shared = store()
    pipe.send(shared.port)
    pipe.recv()


def serve(port, log):
    """As a Ray actor does, with shorter limits."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
    pulse.BEAT_SECONDS, pulse.MOST_UNANSWERED = 0.05, 40
    ServerProcess("parameters-1", (LOOPBACK, port), Part((), ()), QUICK, 1)
    threading.Event().wait()


@pytest.fixture
def chief():
    """(a process that has the store, its port)."""
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=keep_store, args=(theirs,))
    process.start()
    yield process, ours.recv()
    process.kill()
    process.join()


@pytest.mark.timeout(120)
def test_a_parameter_server_ends_when_its_chief_is_stopped(chief, tmp_path):
    process, port = chief
    server = SERVER.Process(target=serve, args=(port, tmp_path / "log"))
    server.start()
    shared = dist.TCPStore(LOOPBACK, port, is_master=False)
    while shared.add("beat/parameters-1", 0) < 50:  # more than may go unanswered
        time.sleep(0.1)
    assert server.is_alive()
    os.kill(process.pid, signal.SIGSTOP)
    server.join()
    assert server.exitcode == pulse.UNREACHED
    said = (tmp_path / "log").read_text()
    assert "parameter server parameters-1 ends: the process that leads the training" in said


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_of_ray_ends_though_workers_call_it(chief):
    ray = pytest.importorskip("ray")
    process, port = chief
    start_ray(1, None)
    try:
        servers = RayServers([machines_of(ray)[0][0]])
        (name,) = servers.make([Part((), ())], QUICK, 1, (LOOPBACK, port))
        server = servers.find(name)
        assert server.names() == ()
        os.kill(process.pid, signal.SIGSTOP)
        watch = kills.Stopwatch()
        with pytest.raises(ray.exceptions.RayActorError):
            while watch.seconds < kills.MOST_SECONDS:
                server.names()
                time.sleep(kills.SLICE)
    finally:
        ray.shutdown()


def test_a_member_that_comes_when_the_chief_is_gone_ends_soon(monkeypatch):
    assert link.CONNECT_SECONDS < kills.MOST_SECONDS / 2
    monkeypatch.setattr(link, "CONNECT_SECONDS", 0.2)
    with closing(listen(LOOPBACK)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(dist.DistNetworkError, match="timed out after 200ms"):
        link.store_at(LOOPBACK, port)


def test_a_member_that_comes_late_hears_what_is_said_from_then_on():
    master = store()
    chief = Link(master, 0, 1.0)
    for _ in range(2 * link.KEPT):  # of which the first are forgotten by now
        chief.announce("step")
    member = Link(dist.TCPStore(LOOPBACK, master.port, is_master=False), 1, 1.0)
    member.ready()
    assert chief.is_ready(1)
    chief.announce("regroup", members=[0, 1])
    assert member.next() == {"do": "regroup", "members": [0, 1]}
    member.close()
    chief.close()


def test_why_a_member_waits_is_read_once():
    own = Link(store(), 0, 1.0)
    own.wait_to_be_called("a parameter server is lost")
    assert own.idle(0) == "a parameter server is lost"
    assert own.idle(0) == ""
    own.close()


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
    moments = random.Random(scheme)
    seconds, good = kills.undisturbed(scheme)
    for kind in kills.kinds_of(scheme):
        for _ in range(MOMENTS):
            moment = moments.uniform(0, seconds)
            verdict, _, words = kills.blow(scheme, kind, moment, good)
            assert verdict in ("right", "error"), f"{kind} after {moment:.2f} s: {words}"
