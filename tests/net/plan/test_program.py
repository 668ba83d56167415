"""A program as its users meet it: shapes, threads, forks, memory, reports."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Thread, current_thread

import numpy as np
import pytest

from darter.errors import OptionError, ShapeError, UnsupportedError
from darter.kernels import has_bfloat16
from darter.net.graph import Graph, needed, node
from darter.net.ops import Activation
from darter.net.plan import Packed, Program, Programs
from darter.net.plan.weights import Weights

RNG = np.random.default_rng(3)
RELU = Activation("relu")


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def net() -> Graph:
    """Two convolutions around a shortcut, a pool and a classifier."""
    same = {"pads": (1, 1, 1, 1), "activation": RELU}
    nodes = (
        node("Conv", "a", ["x", "aw", "ab"], "a", **same),
        node("Conv", "b", ["a", "bw", "bb"], "b", **same),
        node("Conv", "c", ["b", "cw", "cb", "a"], "c", activation_after_residual=True, **same),
        node("GlobalAveragePool", "p", ["c"], "p"),
        node("Reshape", "f", ["p"], "f", shape=(None, 64)),
        node("Gemm", "y", ["f", "w", "v"], "y"),
    )
    weights = {
        "aw": array(64, 3, 3, 3) / 5,
        "bw": array(64, 64, 3, 3) / 24, "cw": array(64, 64, 3, 3) / 24,
        "ab": array(64), "bb": array(64), "cb": array(64), "w": array(10, 64) / 8, "v": array(10),
    }  # fmt: skip
    return needed(Graph(nodes, {"x": (None, 3, 24, 24)}, ("y",), weights))


def test_another_shape_than_planned_is_refused(net):
    with pytest.raises(ShapeError, match=r"\(2, 3, 24, 24\).*got.*\(1, 3, 24, 24\)"):
        Program(net, 2).run(array(1, 3, 24, 24))


def test_nodes_without_a_step_are_all_listed(net):
    odd = Graph(
        (node("Foo", "f", ["x"], "g"), node("Bar", "b", ["g"], "y")), net.inputs, ("y",), {}
    )
    with pytest.raises(UnsupportedError, match=r"Foo 'f'.*Bar 'b'"):
        Program(odd, 1)


def test_batches_share_packed_weights(net):
    packed = Packed()
    Program(net, 2, packed=packed)  # one picture may have other algorithms, with smaller filters
    before = packed.bytes
    Program(net, 3, packed=packed)
    assert before and packed.bytes <= 2 * before
    x = array(2, 3, 24, 24)
    both = Program(net, 2, packed=packed).run(x)
    one = Program(net, 1, packed=packed).run(x[:1])
    np.testing.assert_allclose(both[:1], one, rtol=1e-4, atol=1e-4)


def test_plans_of_batch_sizes_are_kept_with_a_bound(net):
    programs = Programs(lambda: net)
    first = programs.program(1)
    assert programs.program(1) is first
    for batch in range(2, 7):
        programs.run(array(batch, 3, 24, 24))
    assert programs.program(1) is not first


def test_weights_are_let_go_as_they_are_packed(net, monkeypatch):
    monkeypatch.setattr("darter.net.plan.weights.SMALL", 0)
    kept = Weights(net.weights, lambda: net.weights)
    calls = []
    program = Program(replace(net, weights=kept), 1, release=lambda: calls.append(kept.held))
    assert calls == [6, 4, 2, 0]
    x = array(1, 3, 24, 24)
    assert np.array_equal(program.run(x), Program(net, 1).run(x))


def test_another_batch_size_needs_no_weights_again(net, monkeypatch):
    monkeypatch.setattr("darter.net.plan.weights.SMALL", 0)
    made = []
    programs = Programs(lambda: made.append(1) or net)
    for batch in (1, 2):  # algorithms for one picture, and for several
        programs.program(batch)
    before = len(made)
    for batch in (3, 5, 8, 2, 1):
        x = array(batch, 3, 24, 24)
        assert np.array_equal(programs.run(x), Program(net, batch).run(x))
    assert len(made) == before <= 2


def test_a_known_size_does_not_wait_for_another_to_be_planned(net):
    planning, go_on = Event(), Event()

    def make():
        planning.set()
        go_on.wait(10)
        return net

    go_on.set()
    programs = Programs(make)
    x = array(1, 3, 24, 24)
    truth = programs.run(x)
    planning.clear(), go_on.clear()
    programs._graph = None  # the next plan has to make it again
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(programs.program, 7)
        assert planning.wait(10)
        assert np.array_equal(programs.run(x), truth)  # while the other is still planned
        assert not other.done()
        go_on.set()
        assert other.result(10).inputs["x"][0] == 7


def test_many_threads_get_the_answers_of_one(net):
    programs = Programs(lambda: net)
    pictures = array(8, 1, 3, 24, 24)
    truth = [programs.run(x) for x in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: programs.run(pictures[i % 8]), range(4000)))
    for i, y in enumerate(found):
        assert np.array_equal(y, truth[i % 8])


def test_a_fork_computes_the_same(net):
    program, x = Program(net, 1), array(1, 3, 24, 24)
    truth = program.run(x)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(program.run(x), truth) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_in_the_middle_of_a_plan_computes_the_same(net):
    """The planner's locks are held by a thread that the child does not have."""
    x, planning, go_on = array(1, 3, 24, 24), Event(), Event()

    def make() -> Graph:
        if current_thread() is planner:
            planning.set()
            go_on.wait(60)
        return net

    programs = Programs(make)
    planner = Thread(target=programs.run, args=(x,))
    planner.start()
    assert planning.wait(10)
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if np.array_equal(programs.run(x), Programs(lambda: net).run(x)) else 1)
    go_on.set()
    planner.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_the_answer(net, threads):
    x = array(2, 3, 24, 24)
    ours, all_threads = Program(net, 2, threads=threads).run(x), Program(net, 2).run(x)
    np.testing.assert_allclose(ours, all_threads, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_near(net):
    x = array(2, 3, 24, 24)
    exact, rounded = Program(net, 2).run(x), Program(net, 2, precision="bfloat16").run(x)
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 0 < error < 3e-2
    if has_bfloat16():
        assert Program(net, 2, precision="bfloat16").weight_bytes < Program(net, 2).weight_bytes


def test_memory_cap_is_obeyed_or_refused(net):
    free = Program(net, 4)
    tight = int(0.9 * (free.weight_bytes + free.arena_bytes))
    capped = Program(net, 4, memory_cap=tight)
    assert capped.weight_bytes + capped.arena_bytes <= tight
    x = array(4, 3, 24, 24)
    np.testing.assert_allclose(capped.run(x), free.run(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(OptionError, match=r"memory_cap of 0\.1 MB is too small"):
        Program(net, 4, memory_cap=100_000)


def test_absurd_tensors_are_refused_before_memory_is_touched():
    nodes = (
        node("Expand", "a", ["x"], "a", shape=(None, 3, 25_000, 25_000)),
        node("Expand", "b", ["x"], "b", shape=(None, 3, 25_000, 25_000)),
        node("Concat", "c", ["a", "b"], "c", axis=0),
        node("Reduce", "y", ["c"], "y", function="max", axes=(1, 2, 3), keep_dims=False),
    )
    graph = Graph(nodes, {"x": (None, 3, 1, 1)}, ("y",), {})
    with pytest.raises(ShapeError, match="cannot be"):
        Program(graph, 1)


def test_a_report_has_a_line_per_step(net):
    lines = Program(net, 1).report(2)
    assert [line.op for line in lines if line.multiply_adds] == ["Conv", "Conv", "Conv", "Gemm"]
    assert all(line.ms > 0 and line.bytes > 0 for line in lines)
    assert "1x64x24x24" in str(lines[0])


def test_unknown_precisions_are_refused(net):
    with pytest.raises(OptionError, match="float32 or bfloat16, got 'int8'"):
        Program(net, 1, precision="int8")
