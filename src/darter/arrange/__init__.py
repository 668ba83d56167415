"""Nets arranged well: blocks of small filters, and trained nets rewritten smaller and faster.

make_net("vgg19"), to_file(net, 224, path)    nets by name, written to be analyzed
stack, separable, Sandwich, inception_a …     blocks; ScratchNet: small nets made of them
GraphModule(graph)                            a graph with gradients
"""

from darter.arrange.answers import divergence
from darter.arrange.blocks import Sandwich, convolution, separable, stack
from darter.arrange.cost import Beside, Cost, Stopwatch
from darter.arrange.effective import effective_fields
from darter.arrange.factorize import Factorized, LayerChange, Wish, factorize
from darter.arrange.inception import (
    inception_a,
    inception_b,
    inception_c,
    inception_d,
    inception_e,
)
from darter.arrange.kinds import KINDS, LINEAR_KINDS, kinds_of
from darter.arrange.module import GraphModule
from darter.arrange.named import make_net, to_file
from darter.arrange.prune import prune
from darter.arrange.rebuild import rebuilt
from darter.arrange.scratch import FAMILY, ScratchNet
from darter.arrange.tune import Tuning, distill, measure_norms

__all__ = [
    "FAMILY",
    "KINDS",
    "LINEAR_KINDS",
    "Beside",
    "Cost",
    "Factorized",
    "GraphModule",
    "LayerChange",
    "Sandwich",
    "ScratchNet",
    "Stopwatch",
    "Tuning",
    "Wish",
    "convolution",
    "distill",
    "divergence",
    "effective_fields",
    "factorize",
    "inception_a",
    "inception_b",
    "inception_c",
    "inception_d",
    "inception_e",
    "kinds_of",
    "make_net",
    "measure_norms",
    "prune",
    "rebuilt",
    "separable",
    "stack",
    "to_file",
]
