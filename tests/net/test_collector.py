"""The collector of cycles rests while a net is read and planned, and then runs again."""

import gc
import os
import threading

import pytest

from darter.net import Programs, build, model_in_memory
from darter.net.collector import collector_at_rest
from tests.net.test_large_graphs import chain


@pytest.fixture(autouse=True)
def running():
    assert gc.isenabled()
    yield
    gc.enable()


def collections(work):
    """How often the collector ran meanwhile."""
    times = []
    gc.callbacks.append(lambda phase, info: times.append(phase))
    try:
        work()
    finally:
        gc.callbacks.pop()
    return len(times)


def test_nothing_is_collected_while_a_net_is_planned():
    model = model_in_memory(chain(3000, "Sigmoid"), "net")
    programs = Programs(lambda: build(model, "x", (3, 4, 4), ("y",)), threads=1)
    gc.collect()
    assert collections(lambda: programs.program(2)) <= 4
    assert gc.isenabled()


def test_it_runs_again_after_an_error_and_stays_off_where_it_was_off():
    with pytest.raises(KeyError), collector_at_rest():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    with collector_at_rest():
        pass
    assert not gc.isenabled()


def test_calls_of_several_threads_leave_it_running():
    inside, go_on = threading.Event(), threading.Event()

    def plan():
        with collector_at_rest():
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=plan)
    thread.start()
    inside.wait(10)
    with collector_at_rest(), collector_at_rest():
        assert not gc.isenabled()
    go_on.set()
    thread.join()
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_runs_in_the_child_of_a_fork():
    with collector_at_rest():
        child = os.fork()
        if not child:
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitpid(child, 0)[1] == 0
