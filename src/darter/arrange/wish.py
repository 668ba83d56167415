"""What is wished of a rewritten net, and what a rewriting is made of."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from torch import Tensor, nn

from darter.arrange.candidates import Candidate
from darter.arrange.module import GraphModule
from darter.arrange.tune import Tuning
from darter.errors import OptionError

BATCH = 32
Say = Callable[[str], None]
Net = TypeVar("Net", bound=nn.Module)  # what is rewritten; `time` and `score` take the same


@dataclass(frozen=True)
class Wish:
    """When to stop; one of them at least.

    max_loss: of the score, e.g. 0.01 for one point.   speedup: how many times as fast.
    ms: for `batch` pictures.   size: bytes of weights, at most.
    """

    max_loss: float | None = None
    speedup: float | None = None
    ms: float | None = None
    size: float | None = None

    def __post_init__(self) -> None:
        if all(value is None for value in vars(self).values()):
            raise OptionError("say how far to go: --max-loss, --speedup, --speed or --file-size")
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"{name} must be a number above 0, got {value}")
        if self.speedup is not None and self.speedup <= 1:
            raise OptionError(f"speedup must be above 1, got {self.speedup:g}")

    @property
    def of_speed(self) -> bool:
        return self.ms is not None or self.speedup is not None

    def most_ms(self, now: float) -> float:
        """What the net may take; all there is where only the loss counts."""
        wished = [self.ms] if self.ms is not None else []
        wished += [now / self.speedup] if self.speedup is not None else []
        return min(wished, default=math.inf)


@dataclass(frozen=True)
class LayerChange:
    """One layer before and after. why: what became of it, in a few words.

    kind, rank: None and 0 where it is as it was.
    """

    name: str
    why: str
    kind: str | None
    rank: int
    weights: tuple[int, int]
    multiply_adds: tuple[int, int]
    ms: tuple[float, float]
    unmet: float = 0.0


@dataclass(frozen=True)
class Factorized(Generic[Net]):
    """net: rewritten, in evaluation mode.   ms, score: of the net before and after.   met: whether
    the wish was met.   log: what was done, in sentences.
    """

    net: Net
    layers: tuple[LayerChange, ...]
    ms: tuple[float, float]
    score: tuple[float, float]
    met: bool
    log: tuple[str, ...]


@dataclass
class Work(Generic[Net]):
    """net: to be rewritten.   time, score: milliseconds, and how right, of a net."""

    net: Net
    teacher: Net
    pictures: Tensor
    time: Callable[[Net], float]
    score: Callable[[Net], float]
    tuning: Tuning
    say: Say
    until: float = math.inf
    log: list[str] = field(default_factory=list)
    originals: dict[str, Candidate] = field(default_factory=dict)
    unchanged: dict[str, str] = field(default_factory=dict)

    def tell(self, sentence: str) -> None:
        self.log.append(sentence)
        self.say(sentence)

    def called(self, name: str) -> str:
        """A layer's name in the file, where the net is of one."""
        if not isinstance(self.net, GraphModule):
            return name
        return self.net.names().get(name.removeprefix("layers."), name)

    def batches(self, count: int) -> list[Tensor]:
        return [b.float() for b in self.pictures[:count].split(BATCH)]
