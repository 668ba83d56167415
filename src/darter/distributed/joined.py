"""What the steps of all schemes share: commands, failures, and joining anew after one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from darter.distributed.feed import Feed
from darter.distributed.link import Link
from darter.distributed.servers import Servers
from darter.distributed.shares import Batches, Place
from darter.train import Lost, OutOfMemory, Plan, Step, Training, out_of_memory

if TYPE_CHECKING:
    from darter.distributed.team import Team


class JoinedStep(Step):
    """A step of several processes. The chief has the `team`; members follow its commands.

    divide: what each takes of an epoch's batches.
    grouped: they exchange tensors in a process group; otherwise through parameter servers.
    averages: members keep averages of weights; otherwise the chief does for all.
    """

    divide: Callable[[Place], Callable[[Batches], Batches]]
    averages = False
    grouped = True
    servers: Servers | None = None

    def __init__(
        self, training: Training, plan: Plan, link: Link, team: "Team | None" = None
    ) -> None:
        super().__init__(
            training.model,
            training.strategy,
            training.recipe,
            training.loss(plan.class_balance),
            training.device,
            precision=plan.precision,
            learning_rate=plan.learning_rate,
        )
        self.link, self.team = link, team
        self.failure: BaseException | None = None
        self.epoch_steps = plan.steps_per_epoch

    @property
    def is_chief(self) -> bool:
        return self.link.member == 0

    def regrouped(self) -> None:
        """Work with the members of the link's group, from the chief's state."""
        state = self.link.share(self.joint_state() if self.is_chief else None)
        if not self.is_chief:
            super().restore({**self.state(), **state})

    def welcome(self) -> None:
        """Let members in that have just come."""
        if self.team:
            self.team.regroup()

    def joint_state(self) -> dict[str, Any]:
        """What members need to step on like the chief."""
        return {"learned": self.learned, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        if self.team:
            self.team.regroup()

    def lost(self, error: BaseException) -> Lost | OutOfMemory:
        """What a step raises where a collective operation failed, or this process's memory."""
        if found := out_of_memory(error):
            return found
        self.failure = error
        return Lost(f"{type(error).__name__}: {error}")

    def recover(self) -> None:
        if self.team:
            self.team.recover(self.failure)

    def obey(self, command: dict[str, Any], feed: Feed) -> None:
        """A member's part of a command."""
        self(feed.take(), command["number"], command["steps"])

    def close(self) -> None:
        """The training is over, in this process."""


def is_of_the_network(error: BaseException) -> bool:
    """True where others or the way to them failed, not this process."""
    return isinstance(error, Lost | dist.DistError) or "gloo" in str(error)
