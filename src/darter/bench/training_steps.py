"""Training steps of one net by one runtime, in a process of its own; `darter.bench.training` talks
to it.

    python training_steps.py RUNTIME NET BATCH THREADS PRECISION GRADIENTS LIMIT

NET is a name of timm's, or torchvision/NAME; dropout is off, for gradients to be compared.
GRADIENTS is a file with the gradients of the first step in PyTorch's float32; where it does not
exist yet, they are written there. LIMIT: how far from them those of this runtime may be, all
together, relative. Writes one JSON line when the net is ready and its gradients are checked, or why
it is not ("left_out"); then, for each line "STEPS" that it reads, one with the milliseconds
[forward, backward, optimizer] of so many steps.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does

import timm
import torch
from torch import Tensor, nn

CLASSES = 10
SHIFT = 1.0  # of what batch normalizations give, in standard deviations
Forward = Callable[[Tensor], Tensor]


def untrained(name: str) -> tuple[nn.Module, int]:
    """A net with random weights in training mode, and the pixels on each side of its pictures.

    Normalizations give numbers around `SHIFT`. Around zero, where they begin, so many numbers round
    to the other side of their ReLU that bfloat16 leaves nothing of a deep net's gradients, whoever
    computes them.
    """
    library, _, member = name.rpartition("/")
    if library == "torchvision":
        import torchvision

        aux = {"aux_logits": False, "init_weights": True} if member == "googlenet" else {}
        net, side = torchvision.models.get_model(member, num_classes=CLASSES, **aux), 224
    else:
        net = timm.create_model(name, num_classes=CLASSES)
        config = timm.get_pretrained_cfg(name)
        side = config.input_size[-1] if config else 224
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.constant_(layer.bias, SHIFT)
    return net.train(), side


def darter(net: nn.Module, images: Tensor, threads: int, precision: str) -> Forward:
    from darter.kernels import set_threads
    from darter.train import compiled

    set_threads(threads)
    return compiled(net, images, precision=precision)


def one_pass(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    from darter.train import OnePass

    return OnePass(optimizer)


def eager(net: nn.Module, images: Tensor, threads: int, precision: str) -> Forward:
    return net.to(memory_format=torch.channels_last)


def inductor(net: nn.Module, images: Tensor, threads: int, precision: str) -> Forward:
    return torch.compile(net.to(memory_format=torch.channels_last))


RUNTIMES = {f.__name__: f for f in (darter, eager, inductor)}


class Trainer:
    """A net with SGD and momentum, a batch of random pictures, and how the runtime runs it."""

    def __init__(self, runtime: str, name: str, batch: int, threads: int, precision: str) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.net, side = untrained(name)
        self.images = torch.randn(batch, 3, side, side)
        self.labels = torch.randint(CLASSES, (batch,))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-3, momentum=0.9, foreach=True)
        self.forward = RUNTIMES[runtime](self.net, self.images, threads, precision)
        self.update = self.optimizer.step if runtime != "darter" else one_pass(self.optimizer)
        self.shortens = precision == "bfloat16" and runtime != "darter"
        if runtime != "darter":
            self.images = self.images.to(memory_format=torch.channels_last)

    def step(self, *, learn: bool = True) -> list[float]:
        """Milliseconds of forward (with the loss), backward, optimizer."""
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16) if self.shortens else nullcontext():
            answers = self.forward(self.images)
        loss = nn.functional.cross_entropy(answers.float(), self.labels)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        if learn:
            self.update()
            self.optimizer.zero_grad()
        end = time.perf_counter()
        return [1e3 * t for t in (forward - start, backward - forward, end - backward)]

    def taken(self) -> list[Tensor]:
        """The gradients, which then are gone."""
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        self.optimizer.zero_grad()
        return gradients


def difference(found: list[Tensor], wanted: list[Tensor]) -> float:
    """Of all together, relative."""
    off = sum(float((a - b).square().sum()) for a, b in zip(found, wanted, strict=True))
    return (off / sum(float(b.square().sum()) for b in wanted)) ** 0.5


def memory(field: str) -> float:
    """Megabytes: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def ready(
    runtime: str,
    name: str,
    batch: int,
    threads: int,
    precision: str,
    wanted: Path,
    limit: float,
) -> tuple[Trainer, dict[str, Any]]:
    """A trainer whose gradients are checked, and what that took.

    Gradients wait in a file, so that the check has no part in the memory.
    """
    before = memory("VmRSS")
    start = time.perf_counter()
    trainer = Trainer(runtime, name, batch, threads, precision)
    trainer.step(learn=False)
    seconds = time.perf_counter() - start
    found = wanted.with_name(f"{wanted.stem}.{runtime}.pt")
    torch.save(trainer.taken(), found)
    for _ in range(2):
        trainer.step()
    told = {"load_s": seconds, "peak_mb": memory("VmHWM"), "before_mb": before}
    if not wanted.exists():
        found.rename(wanted)
        return trainer, {"error": 0.0, **told}
    error = difference(torch.load(found, mmap=True), torch.load(wanted, mmap=True))
    found.unlink()
    if not error <= limit:
        raise ValueError(
            f"computes something else: {error:.1e} of the gradients, where {limit:.1e} is rounding"
        )
    return trainer, {"error": error, **told}


def main() -> None:
    runtime, name, batch, threads, precision, file, limit = sys.argv[1:]
    trainer: Trainer | None = None
    try:
        trainer, told = ready(
            runtime, name, int(batch), int(threads), precision, Path(file), float(limit)
        )
    except Exception as error:  # whatever a runtime has against this net
        told = {"left_out": " ".join(str(error).split())[:200] or type(error).__name__}
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        if trainer is not None:
            print(json.dumps([trainer.step() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    main()
