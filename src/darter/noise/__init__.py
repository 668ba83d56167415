"""Noise in training, marginalized at test: every source of it, and one function that averages.

marginalize(model, pictures, over=["views:10x5", "dropout:16"])    mean, spread, doubt
worth_it(…)                                    what each source gains, with its interval and cost
DropConnectLinear, DropConnectConv2d, StochasticDepth, equip(…)    sources, as modules
mix(…)                                         mixup and CutMix of a batch
Average, EqualAverage, greedy_soup, recompute_statistics           of weights
Ensemble([…])                                  several models as one

`marginalize` and `worth_it` need no PyTorch; what is made of modules needs it on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darter.noise.marginal import Marginal, fit_weights, marginal
from darter.noise.marginalize import marginalize
from darter.noise.sources import Sources, parse_sources
from darter.noise.worth import Worth, WorthTable, paired_interval, worth_it

if TYPE_CHECKING:
    from darter.noise.averages import Average, EqualAverage, copy_into
    from darter.noise.doubt import DISAGREEMENT, DOUBTS, Doubt
    from darter.noise.draws import DRAWS, Draws, drawn_kinds
    from darter.noise.dropconnect import DropConnectConv2d, DropConnectLinear
    from darter.noise.ensemble import Ensemble
    from darter.noise.insert import Noise, equip, noise_modules, train_noise
    from darter.noise.kept_on import sampling
    from darter.noise.mixing import mix
    from darter.noise.novelty import Novelty, fit_novelty
    from darter.noise.soup import greedy_soup
    from darter.noise.statistics import recompute_statistics
    from darter.noise.stochastic_depth import StochasticDepth

_OF_TORCH = {
    "Average": "averages",
    "EqualAverage": "averages",
    "copy_into": "averages",
    "DropConnectConv2d": "dropconnect",
    "DropConnectLinear": "dropconnect",
    "DISAGREEMENT": "doubt",
    "DRAWS": "draws",
    "Draws": "draws",
    "drawn_kinds": "draws",
    "DOUBTS": "doubt",
    "Doubt": "doubt",
    "Ensemble": "ensemble",
    "Noise": "insert",
    "equip": "insert",
    "noise_modules": "insert",
    "train_noise": "insert",
    "mix": "mixing",
    "Novelty": "novelty",
    "fit_novelty": "novelty",
    "sampling": "kept_on",
    "greedy_soup": "soup",
    "recompute_statistics": "statistics",
    "StochasticDepth": "stochastic_depth",
}

__all__ = [
    "DISAGREEMENT",
    "DOUBTS",
    "DRAWS",
    "Average",
    "Doubt",
    "Draws",
    "DropConnectConv2d",
    "DropConnectLinear",
    "Ensemble",
    "EqualAverage",
    "Marginal",
    "Noise",
    "Novelty",
    "Sources",
    "StochasticDepth",
    "Worth",
    "WorthTable",
    "copy_into",
    "drawn_kinds",
    "equip",
    "fit_novelty",
    "fit_weights",
    "greedy_soup",
    "marginal",
    "marginalize",
    "mix",
    "noise_modules",
    "paired_interval",
    "parse_sources",
    "recompute_statistics",
    "sampling",
    "train_noise",
    "worth_it",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_TORCH:
        raise AttributeError(f"module 'darter.noise' has no attribute {name!r}")
    found = getattr(import_module(f"darter.noise.{_OF_TORCH[name]}"), name)
    globals()[name] = found
    return found
