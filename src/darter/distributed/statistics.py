"""Batch normalization with the statistics of all processes' parts of a batch."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class StatisticsOfAll(TorchFunctionMode):
    """Within the block, a batch norm that trains takes mean and variance over all processes.

    PyTorch's own SyncBatchNorm has no CPU version, and nets bring layers of their own that call
    the same function; so the function is what is replaced.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.batch_norm:
            return batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`, of x (N, C, ...) whose N is spread over processes.

    Each may have another N. Variances are joined without cancellation.
    Source: Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm", 1979.
    """
    if not training:
        return functional.batch_norm(
            x, running_mean, running_var, weight, bias, False, momentum, eps
        )
    axes = [0, *range(2, x.dim())]
    wide = x.float()
    own_mean, own_var = wide.mean(axes), wide.var(axes, unbiased=False)
    own_count = torch.full_like(own_mean, wide.numel() / wide.shape[1])
    table = _Gather.apply(torch.stack([own_mean, own_var, own_count]))  # (processes, 3, C)
    means, variances, counts = table[:, 0], table[:, 1], table[:, 2].detach()
    share = counts / counts.sum(0)
    mean = (share * means).sum(0)
    var = (share * (variances + (means - mean) ** 2)).sum(0)
    if running_mean is not None and running_var is not None:
        count = counts.sum(0)
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * count / (count - 1)).to(running_var.dtype), momentum)
    shape = [1, -1] + [1] * (x.dim() - 2)
    scale = torch.rsqrt(var + eps) * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return (wide * scale.view(shape) + shift.view(shape)).to(x.dtype)


def shares_replaced(model: nn.Module, names: Iterable[str], passes: int) -> dict[str, float]:
    """Of each running statistic, the share that so many forward passes replace by new values.

    names: of buffers. 1 for those that move in another way than norms' do.
    """
    known = {}
    for owner, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.momentum:
            for name in ("running_mean", "running_var"):
                known[f"{owner}.{name}" if owner else name] = 1 - (1 - module.momentum) ** passes
    return {name: known.get(name, 1.0) for name in names}


class _Gather(torch.autograd.Function):
    """(…) of each process -> (processes, …) on each."""

    @staticmethod
    def forward(_context: Any, own: Tensor) -> Tensor:
        every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(every, own.contiguous())
        return torch.stack(every)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient[dist.get_rank()]
