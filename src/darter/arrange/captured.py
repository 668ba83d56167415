"""What layers take and give on real pictures, and layers fitted to that.

Source: Zhang, Zou, He & Sun, "Accelerating Very Deep Convolutional Networks for Classification and
Detection", arXiv:1505.06798: outputs are reconstructed, not weights, and a layer is fitted to the
original net's outputs from the inputs that it gets in the rewritten net (asymmetric).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PLACES = 6  # pixels of each picture that are looked at
RIDGE = 1e-3  # of the mean square of the features: how much a fit trusts the layer it starts from


@contextmanager
def watching(modules: Mapping[str, nn.Module], seen: Any):
    """Call seen(name, input, output) whenever one of the modules runs."""

    def hook(name: str):
        def call(_module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen(name, inputs[0], output)

        return call

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def input_shapes(
    net: nn.Module, modules: Mapping[str, nn.Module], picture: Tensor
) -> dict[str, tuple[int, ...]]:
    """name -> shape of one picture's input; modules that do not run are left out."""
    found: dict[str, tuple[int, ...]] = {}
    with watching(modules, lambda name, x, y: found.setdefault(name, tuple(x.shape[1:]))):
        net(picture)
    return found


@torch.no_grad()
def outputs_of(net: nn.Module, name: str, module: nn.Module, batches: Iterable[Tensor]) -> Any:
    """The module's inputs and outputs, batch by batch, from a run of the whole net."""
    taken: list[Tensor] = []
    given: list[Tensor] = []

    def keep(_name: str, x: Tensor, y: Tensor) -> None:
        taken.append(x.detach().clone())
        given.append(y.detach().clone())

    with watching({name: module}, keep):
        for batch in batches:
            net(batch)
    return taken, given


def places(shape: Sequence[int], count: int, seed: int) -> Tensor:
    """Random positions (N * count, 3): picture, row, column of an output (N, K, H, W)."""
    random = torch.Generator().manual_seed(seed)
    n, _, h, w = shape
    pictures = torch.arange(n).repeat_interleave(count)
    rows = torch.randint(0, h, (n * count,), generator=random)
    columns = torch.randint(0, w, (n * count,), generator=random)
    return torch.stack((pictures, rows, columns), 1)


def at(y: Tensor, where: Tensor) -> Tensor:
    """(N, K, H, W) -> (positions, K); rows of a matrix as they are."""
    return y if y.dim() == 2 else y[where[:, 0], :, where[:, 1], where[:, 2]]


def patches(layer: nn.Conv2d, x: Tensor, where: Tensor) -> Tensor:
    """What an ungrouped convolution sees at positions of its output: (positions, C R S)."""
    r, s = layer.kernel_size
    (sy, sx), (dy, dx) = layer.stride, layer.dilation
    py, px = (int(p) for p in layer.padding)
    x = F.pad(x, (px, px, py, py))
    rows = where[:, 1, None] * sy + torch.arange(r) * dy
    columns = where[:, 2, None] * sx + torch.arange(s) * dx
    seen = x[where[:, 0, None, None], :, rows[:, :, None], columns[:, None, :]]
    return seen.permute(0, 3, 1, 2).flatten(1)


@torch.no_grad()
def fit_last(parts: nn.Sequential, inputs: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """Fit the last layer's weights and bias so that the parts give what is wanted.

    inputs: batches that the parts get.   wanted: what they shall give, by batch.
    Returns the share of the variance of what is wanted that is not met, after the fit. A grouped
    last layer is left as it is.
    """
    last: Any = parts[-1]
    grouped = isinstance(last, nn.Conv2d) and last.groups > 1
    features, targets = [], []
    for number, (x, y) in enumerate(zip(inputs, wanted, strict=True)):
        z = parts[:-1](x)
        if isinstance(last, nn.Linear):
            features.append(z.flatten(0, -2))
            targets.append(y.flatten(0, -2))
            continue
        where = places(y.shape, min(PLACES, y.shape[2] * y.shape[3]), number)
        features.append(at(last(z), where) if grouped else patches(last, z, where))
        targets.append(at(y, where))
    z, y = torch.cat(features).double(), torch.cat(targets).double()
    if grouped:
        return _unmet(z, y)
    ones = torch.ones(len(z), 1, dtype=z.dtype)
    a = torch.cat((z, ones), 1)
    bias = last.bias if last.bias is not None else torch.zeros(len(last.weight))
    start = torch.cat((last.weight.flatten(1).T, bias[None])).double()
    weight = RIDGE * a.square().mean() * len(a) / len(start) + 1e-12
    gram = a.T @ a + weight * torch.eye(a.shape[1], dtype=a.dtype)
    solution = start + torch.linalg.solve(gram, a.T @ (y - a @ start))
    last.weight.copy_(solution[:-1].T.reshape(last.weight.shape))
    if last.bias is None:
        last.bias = nn.Parameter(torch.zeros(len(last.weight)))
    last.bias.copy_(solution[-1])
    return _unmet(a @ solution, y)


def _unmet(found: Tensor, wanted: Tensor) -> float:
    spread = (wanted - wanted.mean(0)).square().sum().clamp_min(1e-30)
    return float((found - wanted).square().sum() / spread)


@torch.no_grad()
def project(
    layer: nn.Conv2d | nn.Linear,
    parts: nn.Sequential,
    rank: int,
    inputs: Sequence[Tensor],
    wanted: Sequence[Tensor],
) -> None:
    """Fill the parts of kind "channel" or "low-rank" from the outputs' own main directions.

    The best map of that rank from what the layer gives on these inputs to what is wanted
    (reduced-rank regression), by the eigenvectors of what can be met.
    """
    given, targets = [], []
    for number, (x, y) in enumerate(zip(inputs, wanted, strict=True)):
        z = layer(x)
        if isinstance(layer, nn.Linear):
            given.append(z.flatten(0, -2))
            targets.append(y.flatten(0, -2))
            continue
        where = places(y.shape, min(PLACES, y.shape[2] * y.shape[3]), number)
        given.append(at(z, where))
        targets.append(at(y, where))
    z, y = torch.cat(given).double(), torch.cat(targets).double()
    middle, goal = z.mean(0), y.mean(0)
    z, y = z - middle, y - goal
    gram = z.T @ z
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    start = torch.eye(len(gram), dtype=gram.dtype)  # trust the layer itself
    change = torch.linalg.solve(gram, z.T @ (y - z))
    best = start + change  # (K, K): what is wanted ≈ z @ best
    _, vectors = torch.linalg.eigh((z @ best).T @ (z @ best))
    main = vectors[:, -rank:]
    first, last = cast(Any, parts[0]), cast(Any, parts[-1])
    mixed = (best @ main).T.to(layer.weight.dtype)  # (rank, K)
    first.weight.copy_((mixed @ layer.weight.flatten(1)).reshape(first.weight.shape))
    last.weight.copy_(main.reshape(last.weight.shape))
    bias = layer.bias.double() if layer.bias is not None else torch.zeros(len(main)).double()
    shift = goal + (bias - middle) @ best @ main @ main.T
    if last.bias is None:
        last.bias = nn.Parameter(torch.zeros(len(main)))
    last.bias.copy_(shift)
