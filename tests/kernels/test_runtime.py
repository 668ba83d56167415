"""Instruction sets and the thread pool, seen from Python."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from darter import kernels


def product_is_right(seed: int) -> bool:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((120, 90), np.float32), rng.standard_normal((90, 70), np.float32)
    return bool(np.allclose(kernels.gemm(a, b), a @ b, atol=1e-3))


def test_slowest_instruction_set_is_always_there():
    assert kernels.available_isas()[0] == "scalar"
    assert kernels.active_isa() in kernels.available_isas()


def test_using_isa_returns_to_the_one_before():
    before = kernels.active_isa()
    with pytest.raises(KeyError), kernels.using_isa("scalar"):
        assert kernels.active_isa() == "scalar"
        raise KeyError
    assert kernels.active_isa() == before
    with pytest.raises(ValueError, match="unknown instruction set 'mmx'"), kernels.using_isa("mmx"):
        pass


@pytest.mark.parametrize("name", kernels.available_isas())
def test_environment_forces_an_instruction_set(name):
    code = "from darter import kernels; print(kernels.active_isa())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DARTER_ISA": name},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == name


def test_unknown_instruction_set_in_the_environment_is_an_error():
    done = subprocess.run(
        [sys.executable, "-c", "import darter.kernels"], env={**os.environ, "DARTER_ISA": "neon9"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "neon9" in done.stderr


@pytest.mark.parametrize("count", [0, 10**9, 2**70, 1.5])
def test_impossible_numbers_of_threads(count):
    with pytest.raises(ValueError, match=f"from 1 to 1024, got {count}"):
        kernels.set_threads(count)


def test_limit_of_a_thread_does_not_become_the_pool_size():
    with kernels.using_threads(4):
        with kernels.using_at_most(1), kernels.using_threads(3):
            pass
        assert kernels.threads() == 4


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_threads_computes_the_same(count):
    with kernels.using_threads(count):
        assert kernels.threads() == count
        assert product_is_right(0)


TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir(), reason="needs Linux")
def test_threads_that_slept_may_run_everywhere_again():
    """They are woken on other CPUs than the caller's, but only that once."""
    others = set(TASKS.iterdir())
    with kernels.using_threads(3):
        for _ in range(20):
            kernels.wake_threads()
            time.sleep(0.002)
        time.sleep(0.1)
        pool = set(TASKS.iterdir()) - others
        assert len(pool) == 2
        assert all(os.sched_getaffinity(int(t.name)) == os.sched_getaffinity(0) for t in pool)


def test_callers_on_several_threads_do_not_disturb_each_other():
    results = []
    with kernels.using_threads(3):
        callers = [
            threading.Thread(
                target=lambda seed=seed: results.extend(product_is_right(seed) for _ in range(30))
            )
            for seed in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert len(results) == 120
    assert all(results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_of_a_fork_computes():
    code = """
import os, sys
from tests.kernels.test_runtime import product_is_right
from darter import kernels
kernels.set_threads(3)
assert product_is_right(0)
child = os.fork()
if child == 0:
    os._exit(0 if product_is_right(1) else 1)
_, status = os.waitpid(child, 0)
assert product_is_right(2)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_peak_is_plausible():
    peak = kernels.measure_peak()
    assert peak.isa == kernels.active_isa()
    assert 0.1 < peak.gflops < 1e5
    assert 0.1 < peak.gigabytes < 1e4
