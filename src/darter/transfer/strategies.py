"""What can be retrained, and how: one frozen value per strategy, one visible dict of them.

The race, the training loop, the report and the command line all read `STRATEGIES`.
"""

import math
from dataclasses import dataclass

from torch import nn

from darter.errors import OptionError
from darter.transfer.backbone import Backbone, Block, TransferModel


@dataclass(frozen=True)
class Strategy:
    """One way to go from a pretrained net to a classifier.

    cost: rank of the price of training and running it; the cheaper of two equals is kept.
    layers: what the head reads, the "last" layer or "all" layers.
    trains: which blocks of the backbone learn: "none", "last", "first" or "all".
    share: for "last" and "first", the share of all blocks that learns.
    start: the head starts as the "probe"'s solution, or everything starts at "random".
    learning_rates: AdamW rates to race; the middle one is the sensible default.
    head_multiplier: the head's rate as a multiple of the backbone's.
    layer_decay: each block towards the stem learns this many times slower than the next.
    norm_statistics: batch norms of learning blocks keep their statistics ("frozen") or follow the
        new pictures ("updated"); those of frozen blocks always keep them.
    batch_size: pictures in a batch; small nets need larger ones to keep the cores busy.
    epochs: passes over the training pictures for a final training, if time allows.
    raced: whether the race takes it up; others are trained where they are asked for by name.
    binary: the net from random weights is a binary one. It learns in two steps: with weights that
    are
        real, then with their signs.
    """

    name: str
    title: str
    cost: int
    layers: str = "last"
    trains: str = "none"
    share: float = 0.0
    start: str = "probe"
    learning_rates: tuple[float, ...] = ()
    head_multiplier: float = 1.0
    layer_decay: float = 1.0
    norm_statistics: str = "frozen"
    dropout: float = 0.0
    batch_size: int = 16
    epochs: int = 0
    raced: bool = True
    binary: bool = False

    @property
    def is_probe(self) -> bool:
        """True where nothing but a linear classifier on frozen features is fitted."""
        return self.trains == "none"

    @property
    def default_learning_rate(self) -> float:
        return self.learning_rates[len(self.learning_rates) // 2] if self.learning_rates else 0.0

    def learning_blocks(self, backbone: Backbone) -> tuple[Block, ...]:
        """The blocks of this backbone that learn, in order from stem to top."""
        blocks = backbone.blocks
        count = max(1, math.ceil(self.share * len(blocks)))
        return {
            "none": (),
            "first": blocks[:count],
            "last": blocks[len(blocks) - count :],
            "all": blocks,
        }[self.trains]


STRATEGIES = {
    s.name: s
    for s in (
        Strategy("linear-probe", "linear classifier on the last layer", cost=0),
        Strategy(
            "linear-probe-all-layers",
            "linear classifier on features of all layers",
            cost=1,
            layers="all",
        ),
        Strategy(
            "fine-tune-last",
            "retrain the last blocks",
            cost=2,
            trains="last",
            share=0.3,
            learning_rates=(1e-4, 4e-4, 1.2e-3),
            layer_decay=0.7,
            dropout=0.2,
            epochs=20,
        ),
        Strategy(
            "fine-tune-first",
            "retrain the first blocks (surgical)",
            cost=3,
            trains="first",
            share=0.4,
            learning_rates=(1e-4, 4e-4, 1.2e-3),
            dropout=0.2,
            epochs=20,
        ),
        Strategy(
            "fine-tune-all",
            "retrain every block, earlier ones more gently",
            cost=4,
            trains="all",
            learning_rates=(1e-4, 4e-4, 1.2e-3),
            layer_decay=0.8,
            dropout=0.2,
            epochs=20,
        ),
        Strategy(
            "scratch",
            "train a small net from scratch",
            cost=5,
            trains="all",
            start="random",
            learning_rates=(1e-3, 3e-3, 1e-2),
            norm_statistics="updated",
            dropout=0.1,
            batch_size=64,
            epochs=80,
        ),
        Strategy(
            "binary",
            "train a net of +1 and -1 from scratch",
            cost=6,
            trains="all",
            start="random",
            learning_rates=(1e-3, 3e-3, 1e-2),
            norm_statistics="updated",
            batch_size=64,
            epochs=80,
            raced=False,
            binary=True,
        ),
    )
}


def get(name: str) -> Strategy:
    """The strategy of that name. Raises OptionError that lists the names there are."""
    if name not in STRATEGIES:
        raise OptionError(f"no strategy is called {name!r}; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def prepare(model: TransferModel, strategy: Strategy) -> None:
    """Let the strategy's blocks and the head learn, and nothing else."""
    learning = {n for b in strategy.learning_blocks(model.backbone) for n in b.parameters}
    for name, parameter in model.net.named_parameters():
        parameter.requires_grad_(name in learning)
    model.head.requires_grad_(True)


def train_mode(model: TransferModel, strategy: Strategy) -> None:
    """Put learning blocks and head into training mode; frozen parts keep their statistics."""
    model.eval()
    model.head.train()
    for block in strategy.learning_blocks(model.backbone):
        for name in block.modules:
            module = model.net.get_submodule(name)
            frozen_norm = strategy.norm_statistics == "frozen" and _is_batch_norm(module)
            module.train(not frozen_norm)


def parameter_groups(
    model: TransferModel, strategy: Strategy, learning_rate: float, weight_decay: float
) -> list[dict]:
    """Groups for a torch optimizer, top first: {"name", "params", "lr", "weight_decay"}.

    Biases and the scales of norms (one-dimensional parameters) are not decayed.
    """
    parameters = dict(model.net.named_parameters())
    parts = [("head", list(model.head.parameters()), strategy.head_multiplier)]
    for distance, block in enumerate(reversed(strategy.learning_blocks(model.backbone))):
        part = [parameters[name] for name in block.parameters]
        parts.append((block.name, part, strategy.layer_decay**distance))
    groups = []
    for name, part, multiplier in parts:
        for suffix, chosen, decay in (
            ("", [p for p in part if p.dim() > 1], weight_decay),
            (" (no decay)", [p for p in part if p.dim() <= 1], 0.0),
        ):
            if chosen:
                rate = learning_rate * multiplier
                groups.append(
                    {"name": name + suffix, "params": chosen, "lr": rate, "weight_decay": decay}
                )
    return groups


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
