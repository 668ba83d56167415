"""Whole nets by several runtimes, in one run.

Every runtime has a process of its own, loads the net, and is checked before it is timed; then all
take turns, so that a slow second of the machine hits everybody.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any, Self

from darter.errors import UnsupportedError

SCRIPT = Path(__file__).with_name("runtimes.py")
PEERS = {
    "float32": ("eager", "inductor", "onnxruntime", "openvino", "ncnn", "mnn"),
    "bfloat16": ("openvino",),
    "int8": ("onnxruntime", "openvino"),
}
SLOW = ("inductor",)  # compiles for minutes: only where asked for
OURS = ("darter", "eager", "inductor")  # run in darter's own environment
SINGLE = ("ncnn",)  # take one picture at a time
SETTLE = 0.1  # seconds between turns: idle threads of others have stopped spinning


@dataclass(frozen=True)
class Case:
    """A net (an ONNX file of `darter.bench.exports`), pictures per run, precision, threads."""

    file: Path
    batch: int
    precision: str
    threads: int

    @property
    def net(self) -> str:
        return self.file.stem


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime on one case. Milliseconds are CPU time where there is one thread.

    error: the largest difference from the expected answers, against the largest of these.
    load_s: seconds until the first answer.   rss_mb, peak_mb: resident memory after the runs and
    at most; before_mb: of the interpreter with numpy, which has no part in it.
    """

    net: str
    batch: int
    precision: str
    threads: int
    runtime: str
    min_ms: float
    ms: float
    max_ms: float
    error: float
    load_s: float
    rss_mb: float
    peak_mb: float
    before_mb: float

    @property
    def memory(self) -> float:
        return self.peak_mb - self.before_mb


@dataclass(frozen=True)
class Comparison:
    """rows: darter's first.   left_out: why a runtime has no row."""

    rows: tuple[RuntimeRow, ...]
    left_out: dict[str, str]

    @property
    def ours(self) -> RuntimeRow:
        return self.rows[0]

    @property
    def peers(self) -> tuple[RuntimeRow, ...]:
        return self.rows[1:]

    @property
    def best_peer(self) -> RuntimeRow | None:
        return min(self.peers, key=lambda row: row.ms, default=None)

    @property
    def speedup(self) -> float | None:
        """The best peer's median time over darter's."""
        return self.best_peer.ms / self.ours.ms if self.best_peer else None

    @property
    def speedup_of_minima(self) -> float | None:
        return min(row.min_ms for row in self.peers) / self.ours.min_ms if self.peers else None

    def records(self) -> list[dict[str, Any]]:
        """One dict per runtime; darter's says how it compares with the best peer."""
        ours = asdict(self.ours)
        if self.best_peer is not None:
            ours |= {"best_peer": self.best_peer.runtime, "speedup": self.speedup}
            ours["speedup_of_minima"] = self.speedup_of_minima
        return [ours, *map(asdict, self.peers)]


def compare(
    case: Case,
    peers: Sequence[str],
    *,
    python: str = sys.executable,
    rounds: int = 6,
    seconds: float = 0.4,
) -> Comparison:
    """Time darter and its peers in turns.

    python: the interpreter that has ONNX Runtime, OpenVINO, ncnn and MNN.
    seconds: of one turn of one runtime.
    A runtime that cannot take part, or stops while it is timed, is left out; UnsupportedError if
    that is darter itself.
    """
    names = [name for name in peers if name not in SINGLE or case.batch == 1]
    left_out = {name: "takes one picture at a time" for name in peers if name not in names}
    numbers = [str(case.batch), str(case.threads), case.precision]

    def command(name: str) -> list[str]:
        interpreter = sys.executable if name in OURS else python
        return [interpreter, str(SCRIPT), name, str(case.file), *numbers]

    def row(worker: Worker) -> RuntimeRow:
        times = worker.times
        return RuntimeRow(
            case.net, case.batch, case.precision, case.threads, worker.runtime,
            min_ms=min(times), ms=median(times), max_ms=max(times), **worker.told,
        )  # fmt: skip

    commands = {name: command(name) for name in ("darter", *names)}
    ran, why = in_turns(commands, rounds, seconds)
    left_out |= why
    if "darter" in left_out:
        raise UnsupportedError(f"darter cannot run {case.net}: {left_out['darter']}")
    return Comparison(tuple(map(row, ran)), left_out)


def in_turns(
    commands: Mapping[str, list[str]], rounds: int, amount: float
) -> tuple[list["Worker"], dict[str, str]]:
    """Load every runtime, then let all take turns: those that ran, and why others did not."""
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        ready = []
        for name, command in commands.items():  # one after the other: loading is timed, too
            worker = stack.enter_context(Worker(name, command))
            why = worker.load()
            if why is None:
                ready.append(worker)
            else:
                left_out[name] = why
        for _ in range(rounds):
            for worker in [w for w in ready if w.runtime not in left_out]:
                why = worker.turn(amount)
                if why is not None:
                    left_out[worker.runtime] = f"stopped while it was timed: {why}"
    return [worker for worker in ready if worker.runtime not in left_out], left_out


class Worker:
    """One runtime in its process.   command: what runs it.   told: what it said when it was
    ready; times: what it measured since."""

    def __init__(self, runtime: str, command: list[str]) -> None:
        self.runtime = runtime
        self.times: list[Any] = []
        self.told: dict[str, Any] = {}
        self._complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def load(self) -> str | None:
        """Wait until it is loaded and checked. Returns why it cannot take part, or None."""
        self.told = self._answer()
        return self.told.get("left_out")

    def turn(self, amount: float) -> str | None:
        """Run for so long, or so many steps. Returns why it stopped, or None."""
        sleep(SETTLE)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has stopped: its answer tells
            self._process.stdin.write(f"{amount}\n")
            self._process.stdin.flush()
        answer = self._answer()
        if isinstance(answer, dict):
            return answer["left_out"]
        self.times += answer
        return None

    def _answer(self) -> Any:
        """The next line of JSON (runtimes print other things, too), or why there is none."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith(("{", "[")):
                return json.loads(line)
        self._complaints.seek(0)
        last = self._complaints.read().strip().splitlines()[-1:] or ["it was killed"]
        return {"left_out": last[0]}
