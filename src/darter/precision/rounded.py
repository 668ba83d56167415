"""What a net computes on its way forward, and the errors on their way back, in fixed point."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from darter.kernels import round_bfloat16, round_fixed
from darter.precision.fixed import FixedPoint

# Functions of PyTorch that compute new numbers. What only moves or selects numbers (relu,
# max_pool2d, reshape) leaves numbers of the format in the format.
ROUNDED = frozenset(
    {
        *("conv1d", "conv2d", "conv_transpose2d", "linear", "matmul", "bmm", "addmm", "einsum"),
        *("batch_norm", "layer_norm", "group_norm", "normalize", "softmax", "dropout"),
        *("add", "sub", "mul", "div", "mean", "sum", "avg_pool2d", "adaptive_avg_pool2d"),
        *("__add__", "__radd__", "__sub__", "__mul__", "__rmul__", "__truediv__"),
        *("silu", "gelu", "hardswish", "sigmoid", "tanh", "leaky_relu", "prelu", "elu"),
    }
)


def seed_of(*numbers: int) -> int:
    """A seed of 64 bits that is a function of some whole numbers from 0 on."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class Counter:
    """Numbers the tensors that are rounded, so that each has random numbers of its own."""

    def __init__(self, seed: int) -> None:
        self.seed, self.next = seed, 0

    def stream(self) -> int:
        self.next += 1
        return self.next


@torch.no_grad()
def round_(tensor: Tensor, format: FixedPoint, counter: Counter) -> Tensor:
    """Round a float32 tensor in place, wherever it is; on the CPU with darter's kernels."""
    return _in_place(
        tensor,
        lambda flat: round_fixed(
            flat, format.il, format.fl, rounding=format.rounding,
            seed=counter.seed, stream=counter.stream(), out=flat,
        ),
        lambda: _with_torch(tensor, format),
    )  # fmt: skip


@torch.no_grad()
def round_to_bfloat16_(tensor: Tensor, counter: Counter) -> Tensor:
    """Likewise to numbers of bfloat16, at random; the tensor stays float32."""

    def elsewhere() -> Tensor:
        random = torch.randint(1 << 16, tensor.shape, device=tensor.device, dtype=torch.int32)
        bits = tensor.contiguous().view(torch.int32)
        finite = torch.isfinite(tensor)
        rounded = torch.where(finite, (bits + random) & ~0xFFFF, bits)
        return tensor.copy_(rounded.view(torch.float32))

    return _in_place(
        tensor,
        lambda flat: round_bfloat16(flat, seed=counter.seed, stream=counter.stream(), out=flat),
        elsewhere,
    )


def _in_place(
    tensor: Tensor, on_cpu: Callable[[Any], Any], elsewhere: Callable[[], Tensor]
) -> Tensor:
    if tensor.device.type != "cpu":
        return elsewhere()
    # Numbers that lie side by side in any order (channels last) are rounded as they lie.
    if not (tensor.is_contiguous() or _is_channels_last(tensor)):
        whole = tensor.contiguous()
        _in_place(whole, on_cpu, elsewhere)
        return tensor.copy_(whole)
    flat = tensor.detach().as_strided((tensor.numel(),), (1,), tensor.storage_offset())
    if flat.numel():
        on_cpu(flat.numpy())
    return tensor


def _is_channels_last(tensor: Tensor) -> bool:
    return tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)


def _with_torch(tensor: Tensor, format: FixedPoint) -> Tensor:
    """On a GPU: the same formula with PyTorch's random numbers, seeded by `train.seeds`."""
    multiples = tensor.clamp(format.low, format.high) / format.epsilon
    below = multiples.floor()
    part = multiples - below
    up = part > 0.5 if format.rounding == "nearest" else torch.rand_like(part) < part
    return tensor.copy_(((below + up) * format.epsilon).clamp(format.low, format.high))


class _Round(torch.autograd.Function):
    """Values forward, and errors backward, each in its format; the gradient passes straight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: FixedPoint, errors: FixedPoint, counter: Any) -> Any:
        ctx.errors, ctx.counter = errors, counter
        return round_(x.detach().clone(), values, counter)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        rounded = round_(gradients[0].detach().clone(), ctx.errors, ctx.counter)
        return rounded, None, None, None


class _Rounding(TorchFunctionMode):
    def __init__(self, values: FixedPoint, errors: FixedPoint, counter: Counter) -> None:
        super().__init__()
        self.given = values, errors, counter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if (
            getattr(func, "__name__", "") in ROUNDED
            and isinstance(made, Tensor)
            and made.dtype == torch.float32
        ):
            return _Round.apply(made, *self.given)
        return made


@contextmanager
def rounded(values: FixedPoint, errors: FixedPoint, seed: int) -> Iterator[None]:
    """Round what PyTorch computes in the block, and the gradients of it in a later backward.

    values: of layers' outputs.   errors: of gradients with respect to them. Products and sums
    inside one operation are wide (float32), as in the paper.   seed: the same seed rounds the same.
    """
    with _Rounding(values, errors, Counter(seed)):
        yield
