"""Shapes of the traced graph; the number of images in them is left open."""

from typing import Any

import torch
from torch import fx


class Refused(Exception):
    """Why the core cannot take a node; PyTorch runs it."""


def shape_of(node: fx.Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise Refused("its result is no tensor")
    if value.dtype != torch.float32:
        raise Refused(f"its result is {value.dtype}, not float32")
    return tuple(value.shape)


def image_shape(node: fx.Node) -> tuple[int, int, int]:
    """(C, H, W) of a map, or (C, 1, 1) of rows."""
    shape = shape_of(node)
    if len(shape) not in (2, 4) or not all(isinstance(size, int) for size in shape[1:]):
        raise Refused(f"its result has the shape {shape}, not (N, C, H, W) or (N, C)")
    return (*shape[1:], 1, 1)[:3]


def pair(value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    return both * 2 if len(both) == 1 else both
