"""Weights that stay in a fixed-point format while they learn."""

from typing import Any

import torch
from torch import Tensor

from darter.precision.fixed import FixedPoint
from darter.precision.rounded import Counter, round_, seed_of


class FixedUpdate:
    """Stands where a GradScaler stands: scales the loss, rounds gradients and updates.

    The weights begin in the format. Of each step the gradients are rounded, and so is the change
    that the optimizer makes: w + Round(change), saturated; what it remembers (momentum) is float32.

    scale: of the loss, a power of two. Errors of a mean over pictures are small for a format of few
        fractional bits; times the number of pictures they are those of each picture, as in the
        paper.
    seed: of the random numbers, with the number of updates so far.
    """

    def __init__(self, format: FixedPoint, scale: float, seed: int) -> None:
        self.format, self._scale, self.seed = format, scale, seed
        self.updates = 0
        self._unscaled = False

    def prepare(self, parameters: list[Tensor]) -> None:
        """Round the weights that the training begins with."""
        self._round(parameters)

    def scale(self, loss: Tensor) -> Tensor:
        return loss * self._scale

    @torch.no_grad()
    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        for parameter in _parameters(optimizer):
            if parameter.grad is not None:
                parameter.grad /= self._scale
        self._unscaled = True

    @torch.no_grad()
    def step(self, optimizer: torch.optim.Optimizer) -> None:
        if not self._unscaled:
            self.unscale_(optimizer)
        parameters = [p for p in _parameters(optimizer) if p.grad is not None]
        self._round([p.grad for p in parameters if p.grad is not None])
        before = [p.detach().clone() for p in parameters]
        optimizer.step()
        changes = [p.sub_(old) for p, old in zip(parameters, before, strict=True)]
        self._round([change.detach() for change in changes], 1)
        for parameter, old in zip(parameters, before, strict=True):
            parameter.add_(old).clamp_(self.format.low, self.format.high)
        self.updates += 1
        self._unscaled = False

    def update(self) -> None:
        """Nothing: the scale stays."""

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]

    def _round(self, tensors: list[Tensor], turn: int = 0) -> None:
        counter = Counter(seed_of(self.seed, self.updates, turn))
        for tensor in tensors:
            round_(tensor.detach(), self.format, counter)


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]
