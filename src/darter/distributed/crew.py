"""What starts members and knows how they are: torchrun or Ray."""

from collections.abc import Collection
from typing import Protocol

from darter.distributed.job import Job
from darter.distributed.link import Link
from darter.distributed.servers import Servers


class Crew(Protocol):
    """The other processes, by member numbers from 1 on.

    elastic: a training goes on without a member that is lost.
    """

    elastic: bool

    def threads(self) -> int | str:
        """Threads for each process of this machine, as a recipe's `threads`."""

    def enlist(self, job: Job) -> tuple[Link, list[int]]:
        """Have members follow a new job; the chief's link to them, and their numbers."""

    def place(self, member: int) -> str:
        """Machine and process of a member, in words."""

    def fate(self, member: int) -> str:
        """Why a member has ended, or "" while it has not, as far as is known."""

    def give_up(self, member: int) -> None:
        """Go on without a member: it is ended, in case it only seemed to be."""

    def recruits(self, members: Collection[int]) -> list[int]:
        """New ones beside these that follow the job by now, in place of those who were lost."""

    def servers(self) -> Servers:
        """Where parameter servers run. OptionError where they cannot."""

    def machines(self) -> int: ...

    def dismiss(self) -> None:
        """The job is over."""

    def close(self) -> None:
        """No more jobs."""
