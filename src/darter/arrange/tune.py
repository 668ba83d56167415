"""A rewritten net taught by the one it was made from, and its batch norms measured anew."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darter.arrange.answers import divergence

TEMPERATURE = 2.0  # of the answers that are compared
WARM = 0.05  # share of the steps in which the rate rises
Progress = Callable[[int, int], None]
Answers = Callable[[Tensor], Tensor]  # pictures (N, C, H, W) -> logits (N, classes)


@dataclass(frozen=True)
class Tuning:
    """steps: of `batch` pictures each; seconds: stop earlier, about.   mirror: half of the pictures
    are seen in a mirror.   shift: pixels by which pictures move at random.   several: any number
    of labels per picture.   norms: batch norms are measured anew after each change.
    """

    steps: int = 300
    batch: int = 32
    rate: float = 5e-4
    seconds: float = math.inf
    mirror: bool = False
    shift: int = 0
    seed: int = 0
    several: bool = False
    norms: bool = True


def distill(
    net: nn.Module,
    teacher: Answers,
    pictures: Sequence[Tensor] | Tensor,
    tuning: Tuning,
    progress: Progress = lambda done, total: None,
    *,
    view: Callable[[Tensor], Tensor] = lambda x: x,
    forward: Answers | None = None,
) -> int:
    """Train the net to answer as its teacher; returns the number of steps taken.

    pictures: as the teacher sees them.   view: of a batch, what the net sees of it.
    forward: gives the net's answers, with gradients of its parameters, where the net itself would
    take longer (`darter.train.compiled`).
    The loss is the KL divergence of answers at temperature 2 (Hinton et al., arXiv:1503.02531).
    Batch norms keep their statistics; see `measure_norms`.
    """
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, tuning.rate, weight_decay=1e-4)
    started, done = time.monotonic(), 0
    net.eval()
    if isinstance(teacher, nn.Module):
        teacher.eval()
    forward = forward or net
    for x in _batches(pictures, tuning):
        passed = (time.monotonic() - started) / tuning.seconds
        share = max(done / tuning.steps, passed)
        if share >= 1:
            break
        for group in optimizer.param_groups:
            warm = min(1.0, (share + 1 / tuning.steps) / WARM)
            group["lr"] = tuning.rate * warm * (1 + math.cos(math.pi * share)) / 2
        with torch.no_grad():
            wanted = teacher(x)
        answers = forward(view(x))
        far = divergence(answers, wanted, several=tuning.several, temperature=TEMPERATURE)
        loss = TEMPERATURE**2 * far
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        done += 1
        progress(done, tuning.steps)
    return done


def _batches(pictures: Sequence[Tensor] | Tensor, tuning: Tuning) -> Iterator[Tensor]:
    """Without end; each pass in another order."""
    random = torch.Generator().manual_seed(tuning.seed)
    size = min(tuning.batch, len(pictures))
    while True:
        order = torch.randperm(len(pictures), generator=random)
        for places in order[: len(order) // size * size].split(size):
            x = torch.stack([pictures[int(k)] for k in places]).float()
            if tuning.mirror:
                turned = torch.rand(len(x), 1, 1, 1, generator=random) < 0.5
                x = torch.where(turned, x.flip(3), x)
            if tuning.shift:
                dy, dx = torch.randint(0, 2 * tuning.shift + 1, (2,), generator=random).tolist()
                moved = F.pad(x, (tuning.shift,) * 4, mode="replicate")
                x = moved[:, :, dy : dy + x.shape[2], dx : dx + x.shape[3]]
            yield x


@torch.no_grad()
def measure_norms(net: nn.Module, pictures: Sequence[Tensor]) -> int:
    """Measure the statistics of batch norms anew on batches; returns how many norms there are."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return 0
    net.eval()
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    for x in pictures:
        net(x)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    net.eval()
    return len(norms)
