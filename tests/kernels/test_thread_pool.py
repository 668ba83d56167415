"""The thread pool without Python: plainly, and under sanitizers (thread_pool_test.cpp)."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "src" / "kernels"
BUILDS = {
    "plain": ["-DREFUSES_THREADS"],
    "thread": ["-fsanitize=thread"],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
}
SCENARIOS = (
    "any_number_of_threads",
    "throwing",
    "nested",
    "resized_while_others_run",
    "forked_while_others_run",
)


@pytest.fixture(
    scope="module",
    params=["plain", *(pytest.param(n, marks=pytest.mark.slow) for n in ("thread", "address"))],
)
def pool(request, tmp_path_factory):
    """Runs a scenario in one of the builds; its exit status and what it said."""
    if COMPILER is None:
        pytest.skip("needs a C++ compiler")
    program = tmp_path_factory.mktemp("pool") / "thread_pool_test"
    sources = [HERE / "thread_pool_test.cpp", KERNELS / "runtime" / "thread_pool.cpp"]
    made = subprocess.run(
        [COMPILER, "-std=c++20", "-O1", "-g1", "-pthread", *BUILDS[request.param],
         f"-I{KERNELS}", *sources, "-o", program, "-ldl"],
        capture_output=True, text=True,
    )  # fmt: skip
    if request.param != "plain" and "cannot find" in made.stderr:
        pytest.skip(f"the compiler has no such sanitizer: {made.stderr}")
    assert made.returncode == 0, made.stderr

    def run(scenario: str) -> None:
        # Preloaded runtimes of other sanitizers are not for this program.
        settings = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        settings["TSAN_OPTIONS"] = "die_after_fork=0:halt_on_error=1"
        done = subprocess.run(
            [program, scenario], env=settings, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr

    run.build = request.param
    return run


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pool(pool, scenario):
    pool(scenario)


def test_pool_of_fewer_threads_than_wanted(pool):
    if pool.build != "plain":
        pytest.skip("replaces pthread_create, as sanitizers do")
    pool("fewer_threads_than_wanted")


PRODUCT = """
import resource, numpy as np
from darter import kernels
a = np.ones((300, 300), np.float32)
b, out = a.copy(), a.copy()
kernels.set_threads(64)
{limit}
kernels.gemm(a, b, out=out)
assert (out == 300).all()
print(kernels.threads())
"""


def threads_under(limit: str, prepare=None) -> int:
    """Threads that a product ran on in a process under a limit."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT.format(limit=limit)], capture_output=True, text=True,
        preexec_fn=prepare, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def preloaded() -> bool:
    return "LD_PRELOAD" in os.environ  # sanitizers need all addresses for themselves


@pytest.mark.skipif(preloaded(), reason="limits addresses")
def test_few_addresses_leave_fewer_threads():
    """Stacks of 256 MB, of which a few fit into what a limit leaves."""
    stack = 256 << 20
    used = "int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()"
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({used} + 3 * {stack}, -1))"
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if 0 <= hard < stack:
        pytest.skip("stacks are limited")
    found = threads_under(limit, lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, hard)))
    assert 1 <= found < 64


@pytest.mark.skipif(os.geteuid() == 0, reason="root may have any number of processes")
def test_few_processes_leave_fewer_threads():
    limit = "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))"
    assert threads_under(limit) == 1
