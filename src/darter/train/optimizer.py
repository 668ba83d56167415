"""The optimizer of a run: parameter groups with their own peak rates, AdamW or SGD."""

from dataclasses import replace
from typing import Any

import torch

from darter.precision import RoundedAdamW, seed_of
from darter.train.recipe import Recipe
from darter.train.schedule import rate_factor
from darter.transfer import Strategy, TransferModel, parameter_groups

ROUNDING = 4  # place of the optimizer's random numbers; see darter.train.step


def settle_strategy(strategy: Strategy, recipe: Recipe) -> Strategy:
    """The strategy with what the recipe overrides; "auto" entries keep the strategy's values."""
    names = ("dropout", "norm_statistics", "layer_decay", "head_multiplier")
    chosen = {n: getattr(recipe, n) for n in names if getattr(recipe, n) != "auto"}
    return replace(strategy, **chosen)


def settle_recipe(recipe: Recipe, strategy: Strategy) -> Recipe:
    """The recipe with what it leaves to the strategy."""
    if recipe.batch_size != "auto":
        return recipe
    return recipe.replace(batch_size=strategy.batch_size)


def make_optimizer(
    model: TransferModel, strategy: Strategy, recipe: Recipe, learning_rate: float
) -> torch.optim.Optimizer:
    """AdamW (fused) or SGD over the learning parts; each group remembers its "peak" rate.

    AdamW's first beta is the recipe's momentum. Source: Loshchilov & Hutter, arXiv:1711.05101.
    """
    groups = parameter_groups(model, strategy, learning_rate, recipe.weight_decay)
    for group in groups:
        group["peak"] = group["lr"]
    if recipe.weights_in == "bfloat16":
        betas = (recipe.momentum, 0.999)
        return RoundedAdamW(groups, betas=betas, seed=seed_of(recipe.seed, ROUNDING))
    return optimizer_of(groups, recipe)


def optimizer_of(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over such groups; "lr" is the peak rate of each."""
    for group in groups:
        group["peak"] = group["lr"]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum)
    return torch.optim.AdamW(groups, betas=(recipe.momentum, 0.999), fused=True)


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> float:
    """Give every group its rate for this step; returns the factor on the peaks."""
    factor = rate_factor(step, steps, warmup=recipe.warmup, schedule=recipe.schedule)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return factor
