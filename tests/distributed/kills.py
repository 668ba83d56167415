"""Trainings of several processes in which one is killed, or stops to answer, at a random moment.

    python -m tests.distributed.kills 20            # moments for each scheme and kind
    python -m tests.distributed.kills 20 --schemes async --kinds 'server killed'

Each must end in the steps and the accuracy of an undisturbed one, or in an error that names what
was lost, 60 seconds after the blow at the latest; where the chief was killed, nothing of it may be
left by then, and the run must go on from its checkpoint to the same end.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from darter.distributed import SCHEMES, Team
from darter.errors import DarterError
from tests.distributed.processes import SERVER, LocalServers, Processes
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

MOST_SECONDS = 60.0  # from a blow to the end
MOST_TRIES = 5  # of a blow that comes when training is over already
SLICE = 0.2  # seconds between looks
PATIENCE = 5.0
RECIPE = QUICK.replace(epochs=10, patience=99, norm_statistics="updated")
BLOWS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
WHO = ("worker", "server", "chief")
EARLY, WRONG = "early", "wrong"


def kinds_of(scheme: str) -> list[str]:
    """What may happen, as "WHO BLOW". A stopped process is like one behind a link that is cut."""
    who = WHO if scheme == "async" else ("worker", "chief")
    return [
        f"{each} {blow}" for each in who for blow in BLOWS if (each, blow) != ("server", "stopped")
    ]


@dataclass
class ToldServers(LocalServers):
    """Says which processes it starts."""

    tell: Any = None

    def make(self, parts, recipe, usual, store):
        names = super().make(parts, recipe, usual, store)
        for manager in self.managers:
            self.tell(("server", manager.pid))
        return names

    def __getstate__(self):
        return {**super().__getstate__(), "tell": None}


class Told(Processes):
    """Says which processes it starts."""

    def __init__(self, count: int, tell: Any) -> None:
        super().__init__(count, patience=PATIENCE)
        self.tell = tell
        self._servers = ToldServers(tell=tell)

    def hire(self) -> int:
        number = super().hire()
        self.tell(("worker", self.running[number].pid))
        return number


class ToldTeam(Team):
    """Says when it has made a step."""

    tell: Any = None

    def went_well(self) -> None:
        super().went_well()
        self.tell(("steps", 1))


def chief(scheme: str, out: Path, pipe: Connection) -> None:
    """Train, or go on; what happens goes into the pipe as (what, value)."""
    warnings.simplefilter("ignore")
    others = 1 if scheme == "pipeline" else 2  # the tiny net has two blocks
    team = ToldTeam(Told(others, pipe.send), scheme)
    team.tell = pipe.send
    problem = tiny_problem(train=88, val=30)
    options: dict[str, Any] = {"out": out, "resume": True, "checkpoint_seconds": 0.5}
    try:
        fitted = train(tiny_model(), problem, RECIPE, world=team, **options)
    except DarterError as error:
        pipe.send(("error", str(error)))
    else:
        last = fitted.history[-1]
        pipe.send(("done", (last["step"], fitted.val_accuracy, team.events)))


class Stopwatch:
    """Seconds between looks, of which none counts for more than a second: a machine that was busy
    or asleep has not waited for anybody."""

    def __init__(self) -> None:
        self._seconds, self._last = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        now = time.monotonic()
        self._seconds += min(1.0, now - self._last)
        self._last = now
        return self._seconds


@dataclass
class Running:
    """A chief, and what it has said."""

    scheme: str
    out: Path
    pids: dict[str, list[int]] = field(default_factory=lambda: {who: [] for who in WHO})
    steps: int = 0
    end: tuple[str, Any] | None = None

    def __post_init__(self) -> None:
        self.pipe, theirs = SERVER.Pipe()
        self.process = SERVER.Process(target=chief, args=(self.scheme, self.out, theirs))
        self.process.start()
        theirs.close()
        self.pids["chief"].append(self.process.pid)

    def listen(self, seconds: float) -> float:
        """Until so many seconds are over, or the chief has ended; how many it took."""
        watch = Stopwatch()
        with suppress(EOFError, ConnectionResetError):
            while (left := seconds - watch.seconds) > 0 or self.pipe.poll():
                if not self.pipe.poll(min(SLICE, max(0.0, left))):
                    continue
                what, value = self.pipe.recv()
                if what in self.pids:
                    self.pids[what].append(value)
                elif what == "steps":
                    self.steps += value
                else:
                    self.end = what, value
        return watch.seconds

    def trains(self, steps: int) -> bool:
        """True where a worker was started, and so many steps were made."""
        return bool(self.pids["worker"]) and self.steps >= steps

    def alive(self, who: str = "") -> list[int]:
        groups = [self.pids[who]] if who else self.pids.values()
        return [pid for group in groups for pid in group if is_alive(pid)]

    def close(self) -> None:
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.join()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def doing(pid: int) -> str:
    """What the threads of a process wait for, where the system says it."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found.append(f"{(task / 'comm').read_text().strip()} {(task / 'wchan').read_text()}")
    return ", ".join(found)


def undisturbed(scheme: str) -> tuple[float, Any]:
    """(seconds from the first worker to the end, how it ends)."""
    with tempfile.TemporaryDirectory() as folder:
        run = Running(scheme, Path(folder))
        try:
            while not run.pids["worker"]:
                run.listen(0.05)
            started = time.monotonic()
            run.listen(600)
            assert run.end and run.end[0] == "done", f"{scheme}: {run.end}"
            return time.monotonic() - started, run.end[1]
        finally:
            run.close()


def blow(
    scheme: str, kind: str, moment: float, good: Any, steps: int = 0
) -> tuple[str, float, str]:
    """Strike `moment` seconds after the first worker was started and so many steps were made.

    Where training is over by then, strike another one earlier.
    good: how an undisturbed one ends.   Returns (right, error, early or wrong; seconds; words).
    """
    for _ in range(MOST_TRIES):
        found = _blow(scheme, kind, moment, good, steps)
        if found[0] != EARLY:
            break
        moment, steps = moment / 2, steps // 2
    return found


def _blow(scheme: str, kind: str, moment: float, good: Any, steps: int) -> tuple[str, float, str]:
    who, how = kind.split()
    with tempfile.TemporaryDirectory() as folder:
        run = Running(scheme, Path(folder))
        try:
            while not (run.trains(steps) or run.end):
                run.listen(0.02)
            run.listen(moment)
            while not (victims := run.alive(who)) and not run.end:
                run.listen(0.02)
            if run.end:
                return EARLY, 0.0, "it had ended before"
            os.kill(random.choice(victims), BLOWS[how])
            if who == "chief":
                return _without_chief(run, good)
            return _judged(run, good, run.listen(MOST_SECONDS))
        finally:
            run.close()


def _without_chief(run: Running, good: Any) -> tuple[str, float, str]:
    struck = Stopwatch()
    for who in ("worker", "server"):
        if left := _outlive(run, who, struck):
            return WRONG, MOST_SECONDS, left
    spent = struck.seconds
    run.close()
    again = Running(run.scheme, run.out)
    try:
        again.listen(10 * MOST_SECONDS)
        verdict, _, words = _judged(again, good, spent)
        return verdict, spent, f"after going on: {words}"
    finally:
        again.close()


def _outlive(run: Running, who: str, struck: Stopwatch) -> str:
    """Wait until they have all ended; words about those that have not in time."""
    while left := run.alive(who):
        run.listen(0)
        if struck.seconds > MOST_SECONDS:
            what = "; ".join(f"process {pid}: {doing(pid)}" for pid in left)
            return f"{len(left)} processes ({who}) outlive their chief ({what})"
        time.sleep(SLICE)
    return ""


def _judged(run: Running, good: Any, spent: float) -> tuple[str, float, str]:
    if run.end is None:
        where = "the chief has gone without a word" if not run.alive("chief") else "it hangs"
        return WRONG, spent, where
    what, value = run.end
    if what == "error":
        return ("error" if "lost" in value else WRONG), spent, value
    steps, accuracy, events = value
    if steps < good[0] or accuracy < good[1] - 0.1:
        return WRONG, spent, f"{steps} steps, {accuracy:.1%}, not {good[0]} and {good[1]:.1%}"
    return "right", spent, f"{steps} steps, {accuracy:.1%}; {'; '.join(events)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("moments", type=int, help="for each scheme and kind")
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), choices=list(SCHEMES))
    parser.add_argument("--kinds", nargs="+", default=[], help="e.g. 'worker killed'; all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    random.seed(given.seed)
    wrong = 0
    for scheme in given.schemes:
        seconds, good = undisturbed(scheme)
        print(f"{scheme}: undisturbed {seconds:.1f} s, {good[0]} steps, {good[1]:.1%}", flush=True)
        for kind in kinds_of(scheme):
            if given.kinds and kind not in given.kinds:
                continue
            ends: dict[str, int] = {}
            slowest = 0.0
            for _ in range(given.moments):
                moment = random.uniform(0, seconds)
                verdict, spent, words = blow(scheme, kind, moment, good)
                ends[verdict] = ends.get(verdict, 0) + 1
                slowest = max(slowest, spent)
                if verdict == WRONG:
                    wrong += 1
                    print(f"  {kind} after {moment:.2f} s: {words}", flush=True)
            said = ", ".join(f"{verdict} {count}" for verdict, count in sorted(ends.items()))
            print(f"  {kind:15} {said}; at most {slowest:.1f} s", flush=True)
            print(json.dumps({"scheme": scheme, "kind": kind, **ends, "slowest": slowest}))
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
