"""What computes a net's answers while it is taught: the compiled core, or PyTorch."""

import time
from collections.abc import Callable

from torch import Tensor, nn

from darter.errors import DarterError
from darter.train import compiled

NO_TIME = 1e-3  # seconds: no step is taken
LEAST_SECONDS = 20.0  # of teaching: for less, PyTorch's trace of the net is not worth its time


def forward_of(
    net: nn.Module, example: Tensor, seconds: float, compute: str = "auto"
) -> tuple[Callable[[Tensor], Tensor], float]:
    """Answers of the net with gradients of its parameters, all layers as in use; and the seconds
    that are left.

    example: pictures as it will be shown, float32 (N, 3, S, S).   compute: as in a recipe.
    """
    if compute == "pytorch" or seconds < LEAST_SECONDS:
        return net, seconds
    started = time.monotonic()
    core = compiled(net.eval(), example)
    core.training = True  # the core computes; layers stay as they are
    try:
        forward: Callable[[Tensor], Tensor] = core if core.segments else net
    except DarterError:  # PyTorch cannot trace it
        forward = net
    return forward, max(NO_TIME, seconds - (time.monotonic() - started))
