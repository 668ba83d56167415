"""One session, many callers: threads with batches of many sizes, and forks in between."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import darter
from darter import kernels
from tests.tiny_models import save

SIDE = 24
SIZES = (1, 2, 3, 5, 8)  # more than plans are kept for
CALLERS, CALLS = 4, 30


def convolutions(channels: int = 24) -> onnx.ModelProto:
    """Filters of 3x3, 1x1 and one per channel, a shortcut, and a classifier; all random."""
    rng = np.random.default_rng(5)
    nodes, weights = [], []

    def layer(name: str, x: str, shape: tuple[int, ...], **attributes) -> str:
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name} w"))
        pads = [shape[-1] // 2] * 4
        nodes.append(helper.make_node("Conv", [x, f"{name} w"], [name], pads=pads, **attributes))
        nodes.append(helper.make_node("Relu", [name], [f"{name} relu"]))
        return f"{name} relu"

    stem = layer("stem", "x", (channels, 3, 3, 3))
    wide = layer("wide", stem, (channels, channels, 3, 3))
    each = layer("each", wide, (channels, 1, 3, 3), group=channels)
    point = layer("point", each, (channels, channels, 1, 1))
    nodes.append(helper.make_node("Add", [point, stem], ["sum"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["sum"], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    head = rng.standard_normal((channels, 7)).astype(np.float32)
    weights.append(numpy_helper.from_array(head, "head"))
    nodes.append(helper.make_node("MatMul", ["flat", "head"], ["y"]))
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("x", kind, ("n", 3, SIDE, SIDE))],
        [helper.make_tensor_value_info("y", kind, ("n", 7))],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(params=["float32", "bfloat16"])
def session(request, tmp_path):
    path = save(convolutions(), tmp_path / "m.onnx")
    with kernels.using_threads(3):
        yield darter.load(path, precision=request.param, threads=3, runtime="darter")


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 3, SIDE, SIDE), np.float32)


def calls_are_right(session, truths: dict[int, np.ndarray], seed: int) -> bool:
    sizes = np.random.default_rng(seed).choice(SIZES, CALLS)
    return all(np.array_equal(session.run(pictures(n)), truths[n]) for n in sizes)


def test_callers_on_several_threads_get_what_each_would_alone(session):
    truths = {n: session.run(pictures(n)) for n in SIZES}
    with ThreadPoolExecutor(CALLERS) as pool:
        right = pool.map(lambda seed: calls_are_right(session, truths, seed), range(CALLERS))
        assert all(right)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_of_forks_get_it_too_while_others_plan_and_run(session):
    truths = {n: session.run(pictures(n)) for n in SIZES}
    with ThreadPoolExecutor(CALLERS) as pool:
        running = [pool.submit(calls_are_right, session, truths, seed) for seed in range(CALLERS)]
        for _ in range(8):
            child = os.fork()
            if not child:
                signal.alarm(30)
                os._exit(0 if calls_are_right(session, truths, 9) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert all(future.result() for future in running)
