"""How the numbers of a tensor lie in memory."""

from dataclasses import dataclass
from math import prod

from darter.kernels.convolution import BLOCK
from darter.kernels.enums import Element

Dims = tuple[int, ...]
Array = tuple[int, int, int, int, int, Element]  # as steps of the core take a blocked array
WORD = 64
BITS = {
    Element.float32: 32,
    Element.bfloat16: 16,
    Element.uint8: 8,
    Element.int8: 8,
    Element.bit: 1,
}


@dataclass(frozen=True)
class Layout:
    """element: what each number is kept as.   axis: of the channels where they lie in blocks of
    `BLOCK`, missing ones filled with zeros; None where the array is plain, row by row. Bits are
    (N, H, W, C), a pixel's channels in whole words of `WORD` bits. What integers stand for, their
    scales and zeros, is with the steps that read them.
    """

    axis: int | None = None
    element: Element = Element.float32

    def numbers(self, shape: Dims) -> int:
        """That a whole array of this shape takes, missing channels included."""
        if self.axis is None:
            return prod(shape)
        n, c, h, w = canonical(shape, self.axis)
        if self.element == Element.bit:
            return n * h * w * -(-c // WORD) * WORD
        return n * blocks(c) * h * w * BLOCK

    def bytes(self, shape: Dims) -> int:
        return -(-self.numbers(shape) * BITS[self.element] // 8)


PLAIN = Layout()
BLOCKED = Layout(1)
FLOATS = (Element.float32, Element.bfloat16)


def blocks(channels: int) -> int:
    """Blocks of 16 that so many channels take."""
    return -(-channels // BLOCK)


def canonical(shape: Dims, axis: int) -> tuple[int, int, int, int]:
    """A shape with channels on `axis` as (N, C, H, W); pixels keep their order."""
    pixels = [size for i, size in enumerate(shape) if i not in (0, axis)]
    h, w = (1, 1, *pixels)[-2:] if len(pixels) < 3 else (prod(pixels[:-1]), pixels[-1])
    return shape[0], shape[axis], h, w
