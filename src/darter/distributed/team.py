"""The world of a training, in its chief: who trains along, and what becomes of a lost one."""

import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from darter.dataset import Batch
from darter.distributed.crew import Crew
from darter.distributed.forecast import Measured, choose
from darter.distributed.job import Job
from darter.distributed.measuring import measure_link
from darter.distributed.schemes import AUTO, SCHEMES
from darter.errors import DarterError, OptionError
from darter.machine import available_cpus
from darter.train import Batches, Lost, Plan, Recipe, Speed, Step, Training

PATIENCE = 30.0  # seconds that a member may be behind the others before it counts as lost
READY_SECONDS = 120.0  # for a member to load PyTorch, the net and the job
SILENT_SECONDS = 5.0
SILENCE = f"nothing was heard of it for {SILENT_SECONDS:.0f} s"
MOST_FAILURES = 3  # without a step in between


class WorkerError(DarterError):
    """A training cannot go on for want of another process; says which, where and why."""


class Team:
    """`World` of a training: this process decides, the crew's members follow."""

    def __init__(self, crew: Crew, scheme: str = "sync") -> None:
        self.crew, self.scheme = crew, scheme
        self.events: list[str] = []  # who was lost and who joined
        self.record: dict[str, Any] = {}  # what a scheme has counted
        self._failures = self._generation = self._calls = 0
        self._speed: Speed | None = None
        self._close_step: Callable[[], None] = lambda: None
        self._ended = True

    @property
    def fits_one(self) -> bool:
        return self.scheme != "pipeline"

    def threads(self, recipe: Recipe) -> int | str:
        return self.crew.threads() if recipe.threads == "auto" else recipe.threads

    def expected(self, training: Training, speed: Speed) -> Speed:
        self._speed = speed
        return speed

    def begin(self, training: Training, plan: Plan) -> tuple[Step, Batches]:
        check(training, plan, self.scheme)
        servers = self.crew.servers() if self.scheme == "async" else None
        job = Job.of(training, plan, self.scheme, PATIENCE, servers)
        started = time.monotonic()
        self.link, self.members = self.crew.enlist(job)
        self._ended = False
        self._wait_ready()
        scheme = self.scheme
        if scheme == AUTO:
            scheme = self._choose(training, plan, time.monotonic() - started)
            if scheme == "alone":
                self.end()
                if training.recipe.threads == "auto":
                    torch.set_num_threads(available_cpus())
                return training.alone(plan)
            self.link.choose(scheme)
        self.step = SCHEMES[scheme](training, plan, self.link, self)
        self._close_step = self.step.close
        self.regroup()
        if not self.step.grouped:
            return self.step, Ticks(self, plan.steps_per_epoch * training.recipe.accumulate)
        divide = self.step.divide(self.link)
        return self.step, Announced(self, training.loader(plan.class_balance, divide))

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._close_step()
        self.link.leave()  # frees members that wait for this process
        self.link.announce("end")
        self.crew.dismiss()
        self.link.close()

    def _choose(self, training: Training, plan: Plan, start: float) -> str:
        """Measure the links and take what is expected to be the fastest, or this process alone."""
        if self._speed is None or not self.members:
            return "sync" if self.members else "alone"
        self._generation += 1
        members = [0, *self.members]
        self.link.announce("measure", generation=self._generation, members=members)
        self.link.join(self._generation, members)
        latency, bandwidth = measure_link(self.link)
        step = self._speed.seconds(plan.precision) / training.recipe.accumulate
        norms = [m for m in training.model.modules() if m.training and is_batch_norm(m)]
        measured = Measured(
            step,
            min(int(training.recipe.batch_size), len(training.train)),
            sum(4 * p.numel() for p in training.model.parameters() if p.requires_grad),
            latency,
            bandwidth,
            exchanges=2 * len(norms),
            alone=step * min(1, torch.get_num_threads() / self._cores_alone(training.recipe)),
        )
        chosen, why = choose(measured, len(members), plan.steps * step, start)
        self.record |= {"why": why, "latency_seconds": latency, "bytes_per_second": bandwidth}
        self.note(why)
        return chosen

    @staticmethod
    def _cores_alone(recipe: Recipe) -> int:
        return available_cpus() if recipe.threads == "auto" else int(recipe.threads)

    def regroup(self) -> None:
        """Make a group of all members, and give them the chief's state."""
        while True:
            self._generation += 1
            members = [0, *self.members]
            try:
                if self.step.grouped:
                    self.link.announce("regroup", generation=self._generation, members=members)
                    self.link.join(self._generation, members)
                self.step.regrouped()
                return
            except (RuntimeError, Lost) as error:
                self._drop_lost(error)

    def recover(self, error: BaseException | None) -> None:
        """After a step that failed: go on with those who are left."""
        self._drop_lost(error)
        self.regroup()

    def went_well(self) -> None:
        self._failures = self._calls = 0

    def admit(self) -> None:
        """Let new members in, where there are any."""
        if found := self.crew.recruits(self.members):
            self.members = sorted({*self.members, *found})
            self.note(f"{count(len(found))} joined; {count(len(self.members) + 1)} train now")
            self.step.welcome()

    def look(self) -> None:
        """Leave out members that have ended, and call those that wait, where none needs others."""
        suspects = [m for m in self.members if self.link.pulse.silence(m) > SILENT_SECONDS]
        silent = self.link.pulse.silent(suspects, SILENT_SECONDS)
        for member in list(self.members):
            if member in silent or self.link.complaint(member) or self.crew.fate(member):
                self._drop(member, SILENCE)
        if waiting := [(m, why) for m in self.members if (why := self.link.idle(m))]:
            self._call(*waiting[0])
        until = time.monotonic() + READY_SECONDS
        self.admit()
        while not self.members:
            if time.monotonic() > until:
                raise WorkerError("no worker is left, and no new one came in time.")
            time.sleep(0.5)
            self.admit()

    def _call(self, member: int, why: str) -> None:
        """Have members go on that wait since a call of theirs failed; not for ever."""
        self._calls += 1
        if self._calls > MOST_FAILURES:
            raise WorkerError(
                f"worker {member} on {self.crew.place(member)} was called {MOST_FAILURES} times "
                f"and did not get on: {why}"
            )
        self.step.welcome()

    def summary(self) -> dict[str, Any]:
        """For the record of the run."""
        return {"scheme": self.scheme, "events": self.events, **self.record}

    def note(self, text: str) -> None:
        self.events.append(text)
        warnings.warn(text, stacklevel=2)

    def _wait_ready(self) -> None:
        """Until every member has the job; without those who do not get there, or who give no sign
        of life: where members may come later, these still may."""
        coming = set(self.members)
        started = time.monotonic()
        until = started + READY_SECONDS
        while waiting := sorted(m for m in coming if not self.link.is_ready(m)):
            late = time.monotonic() > until
            for member in waiting:
                silent = self.link.pulse.silence(member) > PATIENCE
                if silent or late or self.link.complaint(member) or self.crew.fate(member):
                    self._drop(member, "it was not ready in time")
                    coming.remove(member)
                elif self._may_come_later(member, time.monotonic() - started):
                    self.members.remove(member)
                    coming.remove(member)
            time.sleep(0.05)

    def _may_come_later(self, member: int, waited: float) -> bool:
        """Whether to begin without a member, which is not waited for but let in when it comes."""
        if not self.crew.elastic or waited < PATIENCE or self.link.pulse.has_begun(member):
            return False
        self.note(
            f"worker {member} on {self.crew.place(member)} has given no sign of life for "
            f"{PATIENCE:.0f} s; training begins without it"
        )
        return True

    def _drop_lost(self, error: BaseException | None) -> None:
        self._failures += 1
        self.link.leave()  # so that those who wait for this process know
        silent = self.link.pulse.silent(self.members, SILENT_SECONDS)
        for member in list(self.members):
            if member in silent or self.link.complaint(member) or self.crew.fate(member):
                self._drop(member, SILENCE)
        if self._failures >= MOST_FAILURES:
            raise WorkerError(
                f"training with {count(len(self.members) + 1)} failed {self._failures} times in a "
                f"row at the same step: {error}"
            ) from error

    def _drop(self, member: int, otherwise: str) -> None:
        """Go on without a member, or end with its name where the crew cannot."""
        why = self.link.complaint(member) or self.crew.fate(member) or otherwise
        where = self.crew.place(member)
        self.members.remove(member)
        self.crew.give_up(member)
        text = f"worker {member} on {where} is lost ({why})"
        if not self.crew.elastic:
            raise WorkerError(f"{text}. Everything up to the last checkpoint is saved.")
        left = count(len(self.members) + 1)
        self.note(f"{text}; its work is done again, {left} train on")


@dataclass
class Announced:
    """A chief's batches; members open theirs at the same place."""

    team: Team
    loader: Batches

    @property
    def waited(self) -> float:
        return self.loader.waited

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]:
        self.team.admit()
        self.team.link.announce("epoch", epoch=epoch, start=start_batch)
        return self.loader.epoch(epoch, start_batch)


@dataclass
class Ticks:
    """Batches that members take, as the chief counts them."""

    team: Team
    count: int
    waited: float = 0.0

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Any, None, None]:
        self.team.admit()
        yield from range(start_batch, self.count)


def is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def check(training: Training, plan: Plan, scheme: str) -> None:
    """Raise OptionError where a recipe is for one process only."""
    recipe = training.recipe
    if plan.precision.startswith("fixed") or recipe.weights_in != "float32":
        raise OptionError(
            "fixed-point arithmetic and weights in bfloat16 are for training in one process; "
            "leave --workers out, or take another precision."
        )
    if recipe.swa and scheme in ("async", "pipeline"):
        raise OptionError(f'swa = {recipe.swa:g} does not go with "{scheme}"; set it to 0.')
    if plan.precision == "float16" and scheme not in ("sync", "sync16"):
        raise OptionError(f'float16 does not train by "{scheme}"; take float32 or bfloat16.')


def count(processes: int) -> str:
    return f"{processes} process{'es' * (processes != 1)}"
