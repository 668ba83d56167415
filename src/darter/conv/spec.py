"""The shape of one convolution."""

import reprlib
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from darter.errors import OptionError, ShapeError

MOST_STEP = 2**31 - 1  # of stride and dilation
MOST_PADDING = 4096  # a damaged file must not make us fill memory with zeros
Pair = int | tuple[int, int]
Sizes = int | tuple[int, ...]  # on both axes, or on each


@dataclass(frozen=True)
class ConvSpec:
    """One convolution: ConvSpec((1, 64, 56, 56), (128, 64, 3, 3), stride=2, padding=1).

    x: (N, C, H, W).   w: (K, C / groups, R, S).
    stride, dilation: pixels, one number or (vertical, horizontal); kept as pairs.
    padding: zeros around the image: one number, (vertical, horizontal) or
    (top, left, bottom, right); kept as four.

    Raises ShapeError if channels disagree or the filter exceeds the padded image; OptionError for
    a stride, padding, dilation or groups that is no whole number or out of range.
    """

    x: tuple[int, int, int, int]
    w: tuple[int, int, int, int]
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    def __post_init__(self) -> None:
        for name in ("x", "w"):
            shape = _whole(getattr(self, name))
            if len(shape) != 4:
                meaning = "(N, C, H, W)" if name == "x" else "(K, C / groups, R, S)"
                got = reprlib.repr(getattr(self, name))
                raise ShapeError(f"convolution: {name} must be the shape {meaning}, got {got}")
            object.__setattr__(self, name, tuple(int(size) for size in shape))
        if not isinstance(self.groups, Integral):
            raise OptionError(f"groups must be a whole number, got {self.groups!r}")
        object.__setattr__(self, "stride", _pair("stride", self.stride, least=1))
        object.__setattr__(self, "dilation", _pair("dilation", self.dilation, least=1))
        object.__setattr__(self, "padding", _borders(self.padding))
        self._check_channels()
        self._check_sizes()

    def _check_channels(self) -> None:
        (_, c, _, last), (k, per_group, _, _) = self.x, self.w
        if self.groups < 1 or c % self.groups or k % self.groups:
            raise ShapeError(
                f"convolution: {self.groups} groups must divide the {c} channels of x "
                f"and the {k} filters of w"
            )
        if c == per_group * self.groups:
            return
        expected = per_group * self.groups
        hint = ""
        if self.groups > 1:
            hint = f" In {self.groups} groups, a filter sees {c // self.groups} of x's channels."
        elif last == expected:
            hint = " x looks channels-last: transpose it to (N, C, H, W)."
        raise ShapeError(
            f"convolution: x has {c} channels but w expects {expected}; "
            f"got x {self.x} as (N, C, H, W), w {self.w} as (K, C / groups, R, S).{hint}"
        )

    def _check_sizes(self) -> None:
        if self.x[0] < 0 or min(*self.x[1:], *self.w) < 1:
            raise ShapeError(f"convolution: sizes must be positive, got x {self.x}, w {self.w}")
        if min(self.out_hw) < 1:
            raise ShapeError(
                f"convolution: the filter {self.w[2:]} with dilation {self.dilation} exceeds the "
                f"image {self.x[2:]} with padding {self.padding}"
            )

    @property
    def out_hw(self) -> tuple[int, int]:
        (_, _, h, w), (_, _, r, s) = self.x, self.w
        top, left, bottom, right = self.padding
        return (
            (h + top + bottom - (r - 1) * self.dilation[0] - 1) // self.stride[0] + 1,
            (w + left + right - (s - 1) * self.dilation[1] - 1) // self.stride[1] + 1,
        )

    @property
    def y(self) -> tuple[int, int, int, int]:
        """Shape of the output, (N, K, H', W')."""
        return (self.x[0], self.w[0], *self.out_hw)

    @property
    def multiply_adds(self) -> int:
        """Of the direct algorithm, padding included; one is 2 FLOPs."""
        n, k, h, w = self.y
        return n * k * h * w * self.w[1] * self.w[2] * self.w[3]

    @property
    def depthwise(self) -> bool:
        return self.groups == self.x[1] == self.w[0]

    def numbers(self) -> list[int]:
        """What the compiled core takes."""
        (n, c, h, w), (k, _, r, s) = self.x, self.w
        return [n, c, h, w, k, r, s, *self.stride, *self.padding, *self.dilation, self.groups]

    @classmethod
    def parse(cls, text: str) -> "ConvSpec":
        """Read "1,64,56,56/128,64,3,3/stride=2/padding=1": x / w / options."""
        try:
            x, w, *options = text.split("/")
            settings: dict[str, Any] = {}
            for option in options:
                name, numbers = option.split("=")
                values = _numbers(numbers)
                settings[name] = values[0] if len(values) == 1 else values
            return cls(_numbers(x), _numbers(w), **settings)  # type: ignore[arg-type]  # it checks their lengths
        except (TypeError, ValueError) as error:
            if isinstance(error, ShapeError | OptionError):
                raise
            raise OptionError(
                f"cannot read the convolution {text!r}; write it like "
                "1,64,56,56/128,64,3,3/stride=2/padding=1 (x, w, then options)"
            ) from error

    def __str__(self) -> str:
        text = "/".join(",".join(map(str, shape)) for shape in (self.x, self.w))
        for name, plain in (("stride", 1), ("padding", 0), ("dilation", 1)):
            values = set(getattr(self, name))
            if values != {plain}:
                numbers = values if len(values) == 1 else getattr(self, name)
                text += f"/{name}=" + ",".join(map(str, numbers))
        return text + (f"/groups={self.groups}" if self.groups > 1 else "")


def expect_spec(value: Any) -> None:
    """Raise OptionError for anything but a ConvSpec."""
    if not isinstance(value, ConvSpec):
        raise OptionError(
            f"expected a ConvSpec, as in ConvSpec(x.shape, w.shape, padding=1); got "
            f"{type(value).__name__}"
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _pair(name: str, value: Pair, *, least: int) -> tuple[int, int]:
    pair = _whole(value) * (2 if isinstance(value, Integral) else 1)
    if len(pair) != 2 or min(pair) < least or max(pair) > MOST_STEP:
        raise OptionError(
            f"{name} must be one or two whole numbers from {least} to {MOST_STEP}, got {value!r}"
        )
    return pair


def _whole(value: Any) -> tuple[int, ...]:
    """One whole number or several, as a tuple; () for anything else."""
    numbers = value if isinstance(value, tuple | list) else (value,)
    return tuple(numbers) if all(isinstance(number, Integral) for number in numbers) else ()


def _borders(value: int | tuple[int, ...]) -> tuple[int, int, int, int]:
    borders = _whole(value)
    if len(borders) not in (1, 2, 4) or min(borders) < 0 or max(borders) > MOST_PADDING:
        raise OptionError(
            "padding must be one number, (vertical, horizontal) or (top, left, bottom, right), "
            f"from 0 to {MOST_PADDING}; got {value!r}"
        )
    top, left, bottom, right = borders * (4 // len(borders))
    return top, left, bottom, right
