"""Numbers that a training step computes with: float32, 16 bits, or fixed point."""

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from darter.precision import (
    BYTES_PER_WEIGHT,
    FixedPoint,
    FixedUpdate,
    as_bfloat16,
    rounded,
    seed_of,
)
from darter.train.device import casting
from darter.train.recipe import Recipe

FORWARD, UPDATE = 2, 3  # places of random numbers of a step; see darter.train.step
Scaler = torch.amp.GradScaler | FixedUpdate


def fixed_of(precision: str) -> FixedPoint | None:
    """The format, if the precision is fixed point."""
    return FixedPoint.parse(precision) if precision.startswith("fixed") else None


def forward_in(
    precision: str, device: torch.device, seed: int, *place: int
) -> AbstractContextManager[Any]:
    """A forward pass in a precision; fixed point rounds by random numbers of the place."""
    fixed = fixed_of(precision)
    if fixed is None:
        return casting(device, precision)
    return rounded(fixed.wider(), fixed, seed_of(seed, FORWARD, *place))


def make_scaler(precision: str, device: torch.device, recipe: Recipe) -> Scaler:
    """What scales losses and makes updates: float16 and fixed point need it, others pass by."""
    fixed = fixed_of(precision)
    if fixed is None:
        return torch.amp.GradScaler(device.type, enabled=precision == "float16")
    pictures = int(recipe.batch_size) * recipe.accumulate
    return FixedUpdate(fixed, 2.0 ** round(math.log2(pictures)), seed_of(recipe.seed, UPDATE))


def shorten_weights(model: nn.Module, recipe: Recipe) -> str:
    """Keep the weights as the recipe says; a sentence for the plan, or ""."""
    if recipe.weights_in == "float32":
        return ""
    count = as_bfloat16(model)
    wide, short = (count * BYTES_PER_WEIGHT[kind] / 1e6 for kind in ("float32", "bfloat16"))
    return (
        f"{count:,} weights in bfloat16, rounded at random: they, their gradients and AdamW's "
        f"averages take {short:.0f} MB instead of {wide:.0f} MB"
    )
