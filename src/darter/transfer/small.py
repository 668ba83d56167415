"""A small net to train from scratch, for pictures that no pretrained net has seen the like of."""

import torch

from darter.arrange import ScratchNet
from darter.transfer.backbone import Backbone
from darter.transfer.zoo import build

MEMBER = "small"  # of the family
_LEAST_SIZE = 32  # input pixels


def small_size(picture_side: int, limit: int) -> int:
    """Input pixels that suit an untrained net: no more than the pictures have, a multiple of 8.

    picture_side: their usual short side. limit: the size that is used otherwise.
    """
    return min(limit, max(_LEAST_SIZE, -(-picture_side // 8) * 8))


def small_net(size: int, seed: int = 0) -> Backbone:
    """An untrained ScratchNet as a backbone, for "scratch"; the seed draws its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ScratchNet(size, MEMBER)
    half = (0.5, 0.5, 0.5)
    source = "random weights, nothing pretrained"
    return build("small", net, source, size=size, resize=size, mean=half, std=half)
