"""An optimizer's step and the average of weights in one pass of the compiled core.

PyTorch reads and writes all weights once for the step and once for the average. Gradients need no
zeroing: they are dropped, and the next backward pass writes over their memory.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from darter.kernels import UpdateRule, update_all
from darter.noise import Average

NOT_HERE = ("amsgrad", "maximize", "nesterov", "dampening", "capturable", "differentiable")
State = dict[str, Any]
Group = Mapping[str, Any]
# From the state of a weight and its group: running means (of gradients, of their squares), and
# what `UpdateRule` takes.
Begin = Callable[[State, Tensor, Group], tuple[Tensor | None, Tensor | None, dict[str, Any]]]


def _adamw(state: State, weight: Tensor, group: Group) -> tuple[Tensor, Tensor, dict[str, Any]]:
    state.setdefault("step", torch.zeros(()))
    state["step"] += 1
    step, rate = float(state["step"]), float(group["lr"])
    momentum, squares = group["betas"]
    rule = {
        "adam": True,
        "rate": rate / (1 - momentum**step),
        "decay": 1 - rate * group["weight_decay"],
        "momentum": momentum,
        "rest": 1 - momentum,
        "squares": squares,
        "squares_rest": 1 - squares,
        "correction": (1 - squares**step) ** 0.5,
        "epsilon": group["eps"],
    }
    return _kept(state, "exp_avg", weight), _kept(state, "exp_avg_sq", weight), rule


def _sgd(state: State, weight: Tensor, group: Group) -> tuple[Tensor | None, None, dict[str, Any]]:
    momentum = group["momentum"]
    rule = {
        "adam": False,
        "rate": float(group["lr"]),
        "decay": group["weight_decay"],
        "momentum": momentum,
        "rest": 1.0,
    }
    return _kept(state, "momentum_buffer", weight) if momentum else None, None, rule


def _kept(state: State, name: str, weight: Tensor) -> Tensor:
    """A running mean, which begins with 0; its numbers lie as those of the weight."""
    mean = state.get(name)
    if mean is None:
        state[name] = torch.zeros_like(weight)
    elif mean.stride() != weight.stride():
        state[name] = torch.empty_like(weight).copy_(mean)
    return state[name]


KINDS: dict[type, Begin] = {torch.optim.AdamW: _adamw, torch.optim.SGD: _sgd}


class OnePass:
    """Takes the steps of a PyTorch optimizer, AdamW or SGD, for float32 weights on the CPU.

    Groups are read and states kept as the optimizer's own step does: checkpoints are the same, and
    either may go on after the other.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self._begin = KINDS[type(optimizer)]

    @staticmethod
    def takes(optimizer: torch.optim.Optimizer) -> bool:
        """Whether it knows such an optimizer, its options and its weights."""
        groups = optimizer.param_groups
        return (
            type(optimizer) in KINDS
            and not any(group.get(option) for group in groups for option in NOT_HERE)
            and all(_fits(weight) for group in groups for weight in group["params"])
        )

    @torch.no_grad()
    def __call__(self, average: Average | None = None, counts: bool = True) -> None:
        """optimizer.step(), then average.update(counts)."""
        share = average.next_share() if average is not None and counts else 0.0
        averages = average.by_address() if average is not None and share else {}
        rules: dict[tuple[Any, ...], int] = {}  # their numbers
        rows: list[tuple[int, int, int, int, int, int, int]] = []
        alive: list[Tensor] = []  # whose addresses are in rows
        taken: set[str] = set()
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                mean, square, rule = self._begin(self.optimizer.state[weight], weight, group)
                gradient = _laid_as(weight, weight.grad)
                alive.append(gradient)
                name, averaged = averages.get(weight.data_ptr(), ("", None))
                if averaged is not None and averaged.stride() == weight.stride():
                    taken.add(name)
                else:
                    averaged = None
                number = rules.setdefault(tuple(rule.items()), len(rules))
                rows.append(
                    (number, _at(weight), _at(gradient), _at(mean), _at(square), _at(averaged),
                     weight.numel())
                )  # fmt: skip
        update_all([UpdateRule(**dict(rule), share=share) for rule in rules], rows)
        if average is not None:
            average.update(counts, taken=taken)


def _at(array: Tensor | None) -> int:
    return 0 if array is None else array.data_ptr()


def _fits(weight: Tensor) -> bool:
    dense = weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last)
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and dense


def _laid_as(weight: Tensor, gradient: Tensor) -> Tensor:
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)
