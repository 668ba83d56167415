"""Training steps of whole nets, darter's beside PyTorch's, in one run.

Every runtime has a process of its own, is checked before it is timed, and all take turns.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from darter.bench.nets import in_turns
from darter.errors import OptionError, UnsupportedError

SCRIPT = Path(__file__).with_name("training_steps.py")
TRAINED = (
    "torchvision/alexnet",
    "vgg11",
    "torchvision/googlenet",
    "resnet18",
    "resnet50",
    "inception_v3",
    "efficientnet_lite0",
    "mobilenetv2_100",
)
TRAINERS = ("eager", "inductor")
# Of all gradients together, relative to PyTorch's in float32: tells a wrong computation from
# rounding. Where activations have corners, numbers that round to their other sides change gradients
# (docs/training.md), in bfloat16 more of them the deeper a net is.
LIMITS = {"float32": 0.1, "bfloat16": 0.5}
MOST_ROUNDING = 1.5  # times what PyTorch's own bfloat16 is off


@dataclass(frozen=True)
class TrainingRow:
    """One runtime on one net. Milliseconds are medians; the optimizer is SGD with momentum.

    error: of all gradients of the first step together, relative to PyTorch's in float32.
    load_s: seconds until the first gradients.   memory: megabytes of resident memory at most,
    less those of the interpreter with PyTorch before there was a net.
    """

    net: str
    batch: int
    precision: str
    threads: int
    runtime: str
    forward_ms: float
    backward_ms: float
    optimizer_ms: float
    ms: float
    min_ms: float
    max_ms: float
    steps_per_second: float
    memory: float
    load_s: float
    error: float


@dataclass(frozen=True)
class TrainingComparison:
    """rows: darter's first.   left_out: why a runtime has no row."""

    rows: tuple[TrainingRow, ...]
    left_out: dict[str, str]

    @property
    def ours(self) -> TrainingRow:
        return self.rows[0]

    @property
    def speedup(self) -> float | None:
        """The best peer's median step over darter's."""
        peers = [row.ms for row in self.rows[1:]]
        return min(peers) / self.ours.ms if peers else None

    def records(self) -> list[dict[str, Any]]:
        """One dict per runtime; darter's has the speedup."""
        ours = {"what": "training", **asdict(self.ours), "speedup": self.speedup}
        return [ours, *({"what": "training", **asdict(row)} for row in self.rows[1:])]


def check_trained(names: Sequence[str]) -> None:
    """Raise OptionError for a name that neither timm nor torchvision knows."""
    import timm
    import torchvision

    for name in names:
        library, _, member = name.rpartition("/")
        known = (
            timm.is_model(name)
            if not library
            else library == "torchvision" and member in torchvision.models.list_models()
        )
        if not known:
            raise OptionError(
                f"there is no net {name!r} to train; give names of timm, or torchvision/NAME: "
                f"{', '.join(TRAINED)}"
            )


def compare_training(
    net: str,
    batch: int,
    peers: Sequence[str] = TRAINERS,
    *,
    precision: str = "float32",
    threads: int,
    rounds: int = 3,
    steps: int = 2,
) -> TrainingComparison:
    """Time training steps of a net with random weights, by darter and its peers in turns.

    net: a name of timm's, or torchvision/NAME; without dropout.   precision: float32, or bfloat16
    activations with float32 weights.   steps: of one turn.
    The gradients that all must agree with are PyTorch's in float32; in bfloat16 they may be 1.5
    times as far from those as PyTorch's own bfloat16 (autocast) is.
    A peer that cannot take part is left out; UnsupportedError if that is darter itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "gradients.pt"

        def command(name: str, kind: str, limit: float) -> list[str]:
            numbers = [str(batch), str(threads), kind, str(wanted), str(limit)]
            return [sys.executable, str(SCRIPT), name, net, *numbers]

        def eager(kind: str) -> float:
            """How far PyTorch's gradients are from those in the file, or 0 where it writes it."""
            ready, why = in_turns({"eager": command("eager", kind, LIMITS[kind])}, 0, 0)
            if why:
                raise UnsupportedError(f"PyTorch cannot train {net}: {why['eager']}")
            return float(ready[0].told["error"])

        eager("float32")
        limit = LIMITS[precision]
        if precision != "float32":
            limit = min(limit, MOST_ROUNDING * eager(precision))
        commands = {name: command(name, precision, limit) for name in ("darter", *peers)}
        workers, left_out = in_turns(commands, rounds, steps)
    if "darter" in left_out:
        raise UnsupportedError(f"darter cannot train {net}: {left_out['darter']}")
    rows = []
    for worker in workers:
        whole = [sum(parts) for parts in worker.times]
        forward, backward, optimizer = (median(part) for part in zip(*worker.times, strict=True))
        told = worker.told
        rows.append(
            TrainingRow(
                net=net,
                batch=batch,
                precision=precision,
                threads=threads,
                runtime=worker.runtime,
                forward_ms=forward,
                backward_ms=backward,
                optimizer_ms=optimizer,
                ms=median(whole),
                min_ms=min(whole),
                max_ms=max(whole),
                steps_per_second=1e3 / median(whole),
                memory=told["peak_mb"] - told["before_mb"],
                load_s=told["load_s"],
                error=told["error"],
            )
        )
    return TrainingComparison(tuple(rows), left_out)
