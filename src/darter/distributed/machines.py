"""What a user asks of machines, and the world that comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from darter.cluster import Workers
from darter.distributed.crew import Crew
from darter.distributed.rays import RayCrew
from darter.distributed.schemes import AUTO, SCHEMES
from darter.distributed.team import Team
from darter.distributed.torchrun import TorchrunCrew, is_torchrun
from darter.errors import OptionError


@dataclass(frozen=True)
class Machines:
    """Who trains along, and how.

    workers: processes in all; None: this one alone, or one for each machine of a cluster.
    cluster: address of a Ray cluster, "auto" for the one that this machine belongs to; None: this
        machine.
    parallel: a key of `SCHEMES`, or "auto".
    """

    workers: int | None = None
    cluster: str | None = None
    parallel: str = AUTO

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"--workers {self.workers}: at least 1, this process, is needed.")
        if self.parallel not in (AUTO, *SCHEMES):
            names = ", ".join((AUTO, *SCHEMES))
            raise OptionError(f"--parallel {self.parallel}: expected one of {names}.")

    @property
    def alone(self) -> bool:
        return self.cluster is None and self.workers in (None, 1)

    @property
    def racing(self) -> Workers | None:
        """Who trains the candidates of the race, side by side; None: this process, one by one."""
        return None if self.alone or is_torchrun() else Workers(self.workers, self.cluster)

    @property
    def reading(self) -> Workers | None:
        """Who reads pictures along. On one machine the threads of one process do as well."""
        return None if self.cluster is None else Workers(self.workers, self.cluster)


@contextmanager
def world_of(machines: Machines) -> Iterator[Team | None]:
    """Those who train along, or None where this process trains alone."""
    crew: Crew
    scheme = machines.parallel
    if is_torchrun():
        if not machines.alone:
            raise OptionError("torchrun says how many train; leave --workers and --cluster out.")
        crew = TorchrunCrew()
    elif machines.alone:
        yield None
        return
    else:
        workers = machines.workers
        if workers and scheme == "async":
            workers += 1  # this process only watches
        crew = RayCrew(workers, machines.cluster)
    try:
        yield Team(crew, scheme)
    finally:
        crew.close()
