"""Whole channels dropped; torch-pruning finds those that must go together.

Source: Fang et al., "DepGraph: Towards Any Structural Pruning", arXiv:2301.12900.
"""

import torch
from torch import Tensor, nn

from darter.errors import MissingExtraError, OptionError, UnsupportedError
from darter.extras import install_line

BLOCK = 8  # channels are kept in such groups


def prune(net: nn.Module, picture: Tensor, share: float) -> nn.Module:
    """Drop that share of the channels of every layer but the last, the smallest weights first.

    net: is changed.   picture: a batch (N, C, H, W) to trace it with.   share: in (0, 1).
    Raises UnsupportedError where nothing could be dropped, or the net no longer runs; OptionError
    for another share; MissingExtraError without torch-pruning.
    """
    if not 0 < share < 1:
        raise OptionError(f"the share of channels to drop must lie between 0 and 1, got {share}")
    try:
        import torch_pruning as pruning
    except ImportError:
        raise MissingExtraError(
            f"dropping channels needs torch-pruning: {install_line('train')}"
        ) from None
    before = sum(p.numel() for p in net.parameters())
    linear = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    expected = net(picture).shape
    try:
        pruner = pruning.pruner.MetaPruner(
            net,
            picture,
            importance=pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=share,
            ignored_layers=linear[-1:],
            round_to=BLOCK,
        )
        pruner.step()
        with torch.no_grad():
            found = net(picture).shape
    except Exception as error:  # whatever the library meets in a net that it cannot follow
        raise UnsupportedError(f"channels of this net cannot be dropped: {error}") from error
    if found != expected:
        raise UnsupportedError("channels of this net cannot be dropped: its answers change shape")
    if sum(p.numel() for p in net.parameters()) >= before:
        raise UnsupportedError("no channel of this net could be dropped")
    return net
