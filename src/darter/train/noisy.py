"""What a recipe's noise does to a net: inserted before training, on in steps, off in validation."""

from collections.abc import Iterable
from itertools import islice

import torch
from torch import Tensor, nn

from darter.noise import Average, EqualAverage, Noise, equip, recompute_statistics, train_noise
from darter.train.device import place
from darter.train.recipe import Recipe
from darter.train.world import Batches
from darter.transfer import Strategy, TransferModel
from darter.transfer import train_mode as transfer_mode

STATISTICS_BATCHES = 64  # of training pictures, for batch norms' statistics
SOURCES = {
    "dropconnect": "layers of the head",
    "dropconnect_convolutions": "convolutions",
    "spatial_dropout": "blocks",
    "stochastic_depth": "residual branches",
}


def add_noise(model: TransferModel, strategy: Strategy, recipe: Recipe) -> tuple[str, ...]:
    """Insert what the recipe asks for into the head and the blocks that learn.

    Returns a sentence for each source that finds no place, so that nothing is ignored silently.
    """
    noise = Noise(
        recipe.dropconnect,
        recipe.dropconnect_convolutions,
        recipe.spatial_dropout,
        recipe.stochastic_depth,
    )
    if not noise or strategy.is_probe:
        return ()
    model.dropout.p = 0.0 if noise.dropconnect and recipe.dropout == "auto" else model.dropout.p
    blocks = [block_of(model, block.modules) for block in strategy.learning_blocks(model.backbone)]
    found = equip(noise, head=model.head, blocks=blocks)
    return tuple(
        f"{name} does nothing here: {model.backbone.name} has no {SOURCES[name]} that learn and "
        "that it fits"
        for name, places in found.items()
        if getattr(noise, name) and not places
    )


def block_of(model: TransferModel, modules: tuple[str, ...]) -> nn.Module:
    """The smallest module of the net that holds all of these."""
    parts = [name.split(".") for name in modules]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return model.net.get_submodule(".".join(common))


def train_mode(model: TransferModel, strategy: Strategy) -> None:
    """Learning blocks, head and inserted noise in training mode; the rest keeps still."""
    transfer_mode(model, strategy)
    train_noise(model)


def make_average(learned: dict[str, Tensor], recipe: Recipe) -> Average | None:
    """The average of weights that the recipe asks for; SWA replaces the EMA."""
    if recipe.swa:
        return EqualAverage(learned)
    return Average(learned, recipe.ema) if recipe.ema else None


def counts(recipe: Recipe, number: int, steps: int) -> bool:
    """Whether step `number` of `steps` belongs to the average."""
    return number >= (1 - recipe.swa) * steps if recipe.swa else True


def refit_norms(
    model: TransferModel, strategy: Strategy, recipe: Recipe, train: Batches, device: torch.device
) -> int:
    """Take the statistics of the learning blocks' batch norms from training pictures anew."""
    model.eval()
    names = [n for block in strategy.learning_blocks(model.backbone) for n in block.modules]

    def batches() -> Iterable[Tensor]:
        loaded = train.epoch(0)
        try:
            for batch in islice(loaded, STATISTICS_BATCHES):
                yield place(batch.images, device, recipe.channels_last)
        finally:
            loaded.close()

    return recompute_statistics(model, [model.net.get_submodule(n) for n in names], batches())
