"""Weights in bfloat16 alone: no copy in float32, updated with stochastic rounding."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from darter.precision.rounded import Counter, round_to_bfloat16_, seed_of

# Of a weight itself, its gradient and AdamW's two averages.
BYTES_PER_WEIGHT = {"float32": 16, "bfloat16": 8}


class RoundedAdamW(torch.optim.Optimizer):
    """AdamW whose bfloat16 weights and averages are rounded at random: small updates count.

    Of each tensor the update is computed in float32 and rounded back; between steps nothing of it
    is kept in float32. Tensors in float32 (norms, biases) are updated as ever.
    Source: Loshchilov & Hutter, arXiv:1711.05101; Gupta et al., arXiv:1502.02551; Zamirai et al.,
    "Revisiting BFloat16 training", arXiv:2010.06192.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        seed: int = 0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        self.seed = seed

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # no closure
        """One update of every parameter that has a gradient."""
        for place, group in enumerate(self.param_groups):
            for number, parameter in enumerate(group["params"]):
                if parameter.grad is not None:
                    self._update(parameter, group, (place, number))

    def _update(self, parameter: Tensor, group: dict[str, Any], place: tuple[int, int]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        assert parameter.grad is not None
        gradient = parameter.grad.float()
        weight, mean = parameter.float(), state["mean"].float()
        square = state["square"].float()
        mean.lerp_(gradient, 1 - first)
        square.lerp_(gradient.square(), 1 - second)
        unbiased = square.div(1 - second ** state["step"]).sqrt_().add_(group["eps"])
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.addcdiv_(mean, unbiased, value=-group["lr"] / (1 - first ** state["step"]))
        counter = Counter(seed_of(self.seed, state["step"], *place))
        for kept, wide in ((parameter, weight), (state["mean"], mean), (state["square"], square)):
            if kept.dtype == torch.bfloat16:
                round_to_bfloat16_(wide, counter)
            kept.copy_(wide)


@torch.no_grad()
def as_bfloat16(model: nn.Module) -> int:
    """Keep the filters and matrices that learn in bfloat16; returns how many weights they are.

    Norms and biases, a thousandth of a net, stay float32.
    """
    count = 0
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dim() > 1 and parameter.dtype == torch.float32:
            parameter.data = parameter.data.bfloat16()
            count += parameter.numel()
    return count


@torch.no_grad()
def as_float32(model: nn.Module) -> None:
    """Bring every parameter back to float32; bfloat16 numbers stay what they are."""
    for parameter in model.parameters():
        parameter.grad = None
        parameter.data = parameter.data.float()
