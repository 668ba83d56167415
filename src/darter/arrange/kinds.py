"""Ways to make several small layers of one large one, in the shapes of the lecture.

    channel     R×S to fewer channels, 1×1       Zhang et al., arXiv:1505.06798
    separable   R×1, then 1×S                    Jaderberg et al., arXiv:1405.3866
    tucker      1×1, R×S, 1×1: the sandwich      Kim et al., arXiv:1511.06530
    cp          1×1, depthwise R×S, 1×1          Lebedev et al., arXiv:1412.6553
    stack       R×S as a stack of 3×3            Simonyan & Zisserman, arXiv:1409.1556
    low-rank    a fully connected layer as two   Denil et al., arXiv:1306.0543

Each is exact at full rank. Ranks of grouped convolutions are those of one group.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darter.errors import MissingExtraError
from darter.extras import install_line

Layer = nn.Conv2d | nn.Linear


@dataclass(frozen=True)
class Kind:
    """refuses: why it cannot be done to a layer, or None.   full: the rank at which it is exact.

    split: the layers for a rank, from 1 to `full`.
    """

    name: str
    refuses: Callable[[Any], str | None]
    full: Callable[[Any], int]
    split: Callable[[Any, int], nn.Sequential]


def conv(
    w: Tensor, *, bias: Tensor | None = None, stride: Any = (1, 1), padding: Any = (0, 0),
    dilation: Any = (1, 1), groups: int = 1,
) -> nn.Conv2d:  # fmt: skip
    """A convolution with these weights (K, C / groups, R, S)."""
    k, c, r, s = w.shape
    with_bias = bias is not None
    made = nn.Conv2d(c * groups, k, (r, s), stride, padding, dilation, groups, bias=with_bias)
    made.weight = nn.Parameter(w.contiguous().float())
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone().float())
    return made


def _svd(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Left and right factor (m, rank), (rank, n) of the best approximation, evenly scaled."""
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * v[:rank]


def _grouped(layer: nn.Conv2d) -> list[Tensor]:
    """Weights of each group, (K / groups, C / groups, R, S)."""
    return [*layer.weight.detach().double().chunk(layer.groups)]


def _windows(layer: Any) -> str | None:
    if type(layer) is not nn.Conv2d:
        return f"is a {type(layer).__name__}, with a padding of its own"
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return f"pads with {layer.padding_mode}, {layer.padding}"
    if layer.groups == layer.in_channels and layer.groups > 1:
        return "is depthwise already"
    return None


def _larger_than_one(layer: nn.Conv2d) -> str | None:
    side = tuple(layer.kernel_size)
    return _windows(layer) or ("is 1×1" if side == (1, 1) else None)


def channel(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    pairs = [_svd(w.flatten(1), rank) for w in _grouped(layer)]
    first = torch.cat([right.reshape(rank, *layer.weight.shape[1:]) for _, right in pairs])
    last = torch.cat([left for left, _ in pairs])[:, :, None, None]
    return nn.Sequential(
        conv(first, stride=layer.stride, padding=layer.padding, dilation=layer.dilation,
             groups=layer.groups),
        conv(last, bias=layer.bias, groups=layer.groups),
    )  # fmt: skip


def separable(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    columns, rows = [], []
    for w in _grouped(layer):
        k, c, r, s = w.shape
        left, right = _svd(w.permute(1, 2, 3, 0).reshape(c * r, s * k), rank)
        columns.append(left.T.reshape(rank, c, r, 1))
        rows.append(right.reshape(rank, s, k).permute(2, 0, 1)[:, :, None, :])
    sy, sx = layer.stride
    py, px = layer.padding[0], layer.padding[1]
    dy, dx = layer.dilation
    return nn.Sequential(
        conv(torch.cat(columns), stride=(sy, 1), padding=(py, 0), dilation=(dy, 1),
             groups=layer.groups),
        conv(torch.cat(rows), bias=layer.bias, stride=(1, sx), padding=(0, px),
             dilation=(1, dx), groups=layer.groups),
    )  # fmt: skip


def tucker(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    """rank: of the larger of input and output channels; the other's is in proportion."""
    parts = []
    for w in _grouped(layer):
        k, c = w.shape[:2]
        a, b = _tucker_ranks(k, c, rank)
        out, _, _ = torch.linalg.svd(w.flatten(1), full_matrices=True)
        into, _, _ = torch.linalg.svd(w.transpose(0, 1).flatten(1), full_matrices=True)
        out, into = out[:, :b], into[:, :a]
        core = torch.einsum("kcrs,kb,ca->bars", w, out, into)
        parts.append((into.T[:, :, None, None], core, out[:, :, None, None]))
    first, core, last = (torch.cat(each) for each in zip(*parts, strict=True))
    return nn.Sequential(
        conv(first, groups=layer.groups),
        conv(core, stride=layer.stride, padding=layer.padding, dilation=layer.dilation,
             groups=layer.groups),
        conv(last, bias=layer.bias, groups=layer.groups),
    )  # fmt: skip


def _tucker_ranks(k: int, c: int, rank: int) -> tuple[int, int]:
    """Of the input and of the output."""
    share = rank / max(k, c)
    return max(1, min(c, round(share * c))), max(1, min(k, round(share * k)))


def cp(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    first, middle, last = (torch.cat(each) for each in zip(
        *(_cp_factors(w, rank) for w in _grouped(layer)), strict=True))  # fmt: skip
    return nn.Sequential(
        conv(first, groups=layer.groups),
        conv(middle, stride=layer.stride, padding=layer.padding, dilation=layer.dilation,
             groups=rank * layer.groups),
        conv(last, bias=layer.bias, groups=layer.groups),
    )  # fmt: skip


def _cp_factors(w: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """1×1 (rank, C, 1, 1), depthwise (rank, 1, R, S), 1×1 (K, rank, 1, 1).

    From C R S terms on it is exact: one for each tap of each input channel.
    """
    try:
        from tensorly.decomposition import parafac
    except ImportError:
        raise MissingExtraError(f"cp needs the library tensorly: {install_line('train')}") from None
    _, c, r, s = w.shape
    if rank >= c * r * s:
        into = torch.eye(c, dtype=w.dtype).repeat_interleave(r * s, 0)
        taps = torch.eye(r * s, dtype=w.dtype).repeat(c, 1)
        out = w.flatten(1)
    else:
        tensor = w.flatten(2).numpy()
        found = parafac(tensor, rank, n_iter_max=40, init="random", random_state=0, tol=1e-4)
        out, into, taps = (torch.from_numpy(f).to(w.dtype) for f in found.factors)
        out, into, taps = out * torch.from_numpy(found.weights), into.T, taps.T
    return into[:, :, None, None], taps.reshape(-1, 1, r, s), out[:, :, None, None]


def _stackable(layer: nn.Conv2d) -> str | None:
    side = tuple(layer.kernel_size)
    if side[0] != side[1] or side[0] < 5 or side[0] % 2 == 0:
        return f"is {side[0]}×{side[1]}, no odd square of 5 or more"
    if tuple(layer.dilation) != (1, 1):
        return "is dilated"
    return _windows(layer)


def stack(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    """Layers of 3×3; the first pads for all and the last has the stride.

    rank: channels between them, for one group. At 9 C of a 5×5 filter it is exact: the first layer
    only shifts. Below, what it shifts is mixed by SVD; `reconstruct` fits the rest to pictures.
    """
    count = layer.kernel_size[0] // 2
    head, rest = _peel(layer, rank)
    parts = [head]
    for _ in range(count - 2):
        head, rest = _peel(rest, rank)
        parts.append(head)
    return nn.Sequential(*parts, rest)


def _peel(layer: nn.Conv2d, rank: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A 3×3 convolution to `rank` channels a group, and one with filters smaller by 2 behind it."""
    heads, rests = [], []
    for w in _grouped(layer):
        k, c, n, _ = w.shape
        m = n - 2
        # each tap (i, j) is one of the 3×3 taps behind one of the m × m: the nearest one
        apart = w.new_zeros(k, m, m, c, 3, 3)
        for i in range(n):
            for j in range(n):
                y, x = min(i, m - 1), min(j, m - 1)
                apart[:, y, x, :, i - y, j - x] += w[:, :, i, j]
        left, right = _svd(apart.reshape(k * m * m, c * 9), min(rank, c * 9))
        heads.append(right.reshape(-1, c, 3, 3))
        rests.append(left.reshape(k, m, m, -1).permute(0, 3, 1, 2))
    head = conv(torch.cat(heads), padding=layer.padding, groups=layer.groups)
    rest = conv(torch.cat(rests), bias=layer.bias, stride=layer.stride, groups=layer.groups)
    return head, rest


def low_rank(layer: nn.Linear, rank: int) -> nn.Sequential:
    left, right = _svd(layer.weight.detach(), rank)
    first, last = (nn.Linear(layer.in_features, rank, bias=False),
                   nn.Linear(rank, layer.out_features))  # fmt: skip
    first.weight = nn.Parameter(right.float().contiguous())
    last.weight = nn.Parameter(left.float().contiguous())
    with torch.no_grad():
        last.bias.copy_(layer.bias if layer.bias is not None else torch.zeros(len(left)))
    return nn.Sequential(first, last)


def _channels(layer: nn.Conv2d) -> tuple[int, int, int]:
    """Outputs and inputs of one group, and the taps of a filter."""
    k, c, r, s = layer.weight.shape
    return k // layer.groups, c, r * s


def _full_separable(layer: nn.Conv2d) -> int:
    k, c, _ = _channels(layer)
    return min(c * layer.kernel_size[0], k * layer.kernel_size[1])


def _full_channel(layer: nn.Conv2d) -> int:
    k, c, taps = _channels(layer)
    return min(k, c * taps)


def _full_cp(layer: nn.Conv2d) -> int:
    _, c, taps = _channels(layer)
    return c * taps


def _full_stack(layer: nn.Conv2d) -> int:
    """What the first layer needs to be able to shift; those behind it need more."""
    _, c, _ = _channels(layer)
    return c * 9 ** (layer.kernel_size[0] // 2 - 1)


def _full_low_rank(layer: nn.Linear) -> int:
    return min(layer.in_features, layer.out_features)


def _full_tucker(layer: nn.Conv2d) -> int:
    k, c, _ = _channels(layer)
    return max(k, c)


KINDS: dict[str, Kind] = {
    "channel": Kind("channel", _windows, _full_channel, channel),
    "separable": Kind("separable", _larger_than_one, _full_separable, separable),
    "tucker": Kind("tucker", _larger_than_one, _full_tucker, tucker),
    "cp": Kind("cp", _larger_than_one, _full_cp, cp),
    "stack": Kind("stack", _stackable, _full_stack, stack),
}
LINEAR_KINDS: dict[str, Kind] = {
    "low-rank": Kind("low-rank", lambda layer: None, _full_low_rank, low_rank)
}


USUAL = ("channel", "separable", "tucker", "stack", "low-rank")  # cp takes minutes a layer to fit


def kinds_of(layer: nn.Module, allowed: Sequence[str] | None = None) -> list[Kind]:
    """The kinds that can be done to a layer, of those allowed: all but cp by default."""
    table = LINEAR_KINDS if isinstance(layer, nn.Linear) else KINDS
    named = USUAL if allowed is None else allowed
    return [kind for name, kind in table.items() if name in named and kind.refuses(layer) is None]
