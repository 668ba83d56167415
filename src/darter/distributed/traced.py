"""A net is traced for a pipeline, and stays as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def contiguous(model: nn.Module) -> Iterator[None]:
    """While a net is traced: stand-ins for its weights, without values, in the order of what is
    sent; the tracer notes the order of what passes, not values."""
    kept = {p: p.data for p in model.parameters()}
    for parameter, value in kept.items():
        parameter.data = torch.empty_like(value, memory_format=torch.contiguous_format)
    try:
        yield
    finally:
        for parameter, value in kept.items():
            parameter.data = value


@contextmanager
def uncut(model: nn.Module, names: list[str]) -> Iterator[None]:
    """The modules at which a net is cut go back to their own `forward`; the tracer changes it, and
    another number of processes would find the cuts of the last one as well."""
    modules = [model.get_submodule(name) for name in names]
    own = [vars(module).get("forward") for module in modules]
    try:
        yield
    finally:
        for module, forward in zip(modules, own, strict=True):
            vars(module).pop("_orig_forward", None)
            vars(module).pop("forward", None)
            if forward is not None:
                module.forward = forward


def compute_channels_last(part: nn.Module) -> None:
    """Have a part of a net compute channels last, as CPUs like it, between contiguous borders.

    What is sent must be contiguous, and autograd gives a contiguous input a contiguous gradient.
    """
    part.register_forward_pre_hook(lambda _, given: _ordered(given, torch.channels_last))
    part.register_forward_hook(lambda _, __, out: _ordered(out, torch.contiguous_format))


def _ordered(value: Any, order: torch.memory_format) -> Any:
    """Tensors of four dimensions, alone or in a tuple, in that memory order."""
    if isinstance(value, tuple | list):
        return type(value)(_ordered(each, order) for each in value)
    return value.contiguous(memory_format=order) if value.dim() == 4 else value
