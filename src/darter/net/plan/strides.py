"""How plain arrays lie in memory: strides, as they are permuted and as they broadcast."""

from darter.kernels import steps
from darter.net.plan.storage import Dims


def strides_of(shape: Dims) -> list[int]:
    """Floats between neighbors on each axis of a plain array."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strides


def broadcast_strides(own: Dims, shape: Dims) -> list[int]:
    """Strides of a plain array as it broadcasts to a shape; 0 along what is repeated."""
    own = (1,) * (len(shape) - len(own)) + own
    pairs = zip(own, strides_of(own), strict=True)
    return [0 if size == 1 else stride for size, stride in pairs]


def permuting(shape: Dims, order: list[int] | tuple[int, ...]) -> steps.Step:
    """The step that transposes a plain array."""
    sizes = [shape[i] for i in order]
    strides = strides_of(shape)
    part = (0, 0, 0, 0, sizes, [strides[i] for i in order], strides_of(tuple(sizes)))
    return steps.move_step([part])
