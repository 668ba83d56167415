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
from darter.kernels import _core
from darter.names import visible


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


KNOWN = "scalar, avx2, avx512, amx, neon"


@pytest.mark.parametrize("odd", ["neon9", "AVX2", " ", "scalar,avx2", "\udcff\n"])
def test_odd_instruction_set_in_the_environment_is_one_sentence(odd):
    done = subprocess.run(
        [sys.executable, "-m", "darter", "predict", "no.onnx", "no.jpg"],
        env={**os.environ, "DARTER_ISA": odd}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    shown = visible(odd)
    assert done.stderr == (
        f"darter: DARTER_ISA={shown}: unknown instruction set '{shown}'; known: {KNOWN}. "
        "Unset it for the fastest.\n"
    )


def test_odd_instruction_set_is_an_error_of_darter_at_import():
    code = (
        "from darter.errors import DarterError\n"
        "try: import darter.kernels\n"
        "except DarterError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DARTER_ISA": "neon9"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert KNOWN in done.stdout


# Positions in CPUID and XCR0, Intel's manual, volumes 1 and 2A.
ZEN_5 = {
    "leaf1_ecx": 1 << 12 | 1 << 27 | 1 << 28 | 1 << 29,  # FMA, OSXSAVE, AVX, F16C
    "leaf7_ebx": 1 << 5 | 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31,  # AVX2, AVX-512 F, DQ, BW, VL
    "leaf7_edx": 0,
    "leaf7_1_eax": 1 << 5,  # AVX-512 BF16
    "xcr0": 0xE7,  # x87, SSE, AVX, AVX-512
}
SAPPHIRE_RAPIDS = {**ZEN_5, "leaf7_edx": 1 << 22 | 1 << 24, "xcr0": 0xE7 | 3 << 17}


@pytest.mark.parametrize(
    ("register", "position", "left"),
    [
        *(("leaf1_ecx", position, "scalar") for position in (12, 27, 28, 29)),
        ("leaf7_ebx", 5, "scalar"),
        *(("leaf7_ebx", position, "avx2") for position in (16, 17, 30, 31)),
        *(("leaf7_edx", position, "avx512") for position in (22, 24)),
        ("leaf7_1_eax", 5, "avx512"),
        *(("xcr0", position, "scalar") for position in (1, 2)),
        *(("xcr0", position, "avx2") for position in (5, 6, 7)),
        *(("xcr0", position, "avx512") for position in (17, 18)),
    ],
)
def test_an_instruction_set_needs_each_of_its_bits(register, position, left):
    assert _core.isas_of(**SAPPHIRE_RAPIDS)[-1] == "amx"
    assert _core.isas_of(**ZEN_5)[-1] == "avx512"
    less = {**SAPPHIRE_RAPIDS, register: SAPPHIRE_RAPIDS[register] & ~(1 << position)}
    assert _core.isas_of(**less)[-1] == left


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
