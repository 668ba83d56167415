"""What a training asks of other processes that train along; `darter.distributed` has them."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

from darter.dataset import Batch
from darter.train.plan import Plan, Speed
from darter.train.recipe import Recipe

if TYPE_CHECKING:
    from darter.train.step import Step
    from darter.train.training import Training


class Batches(Protocol):
    """Of the training pictures, as `Loader` has them. waited: seconds spent waiting for them."""

    @property
    def waited(self) -> float: ...

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]: ...


class World(Protocol):
    """Several processes, of which this one decides, validates, and keeps the records.

    A training asks in this order: `threads`, `expected` where something was measured, `begin`,
    and `end` when it is over, whatever way.
    """

    @property
    def fits_one(self) -> bool:
        """Whether this process has the memory for a step of the whole net, so that it is timed."""

    def threads(self, recipe: Recipe) -> int | str:
        """Threads for this process, as the recipe's `threads`."""

    def expected(self, training: "Training", speed: Speed) -> Speed:
        """What all together need, where this process alone was measured."""

    def begin(self, training: "Training", plan: Plan) -> tuple["Step", Batches]:
        """Have the others join in; what this process steps with, and the batches that it takes."""

    def summary(self) -> dict[str, Any]:
        """Who trained, and what happened, for the record of the run."""

    def end(self) -> None:
        """Let the others go."""
