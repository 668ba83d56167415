"""What to start from and what to retrain: pretrained nets, their features, and a measured choice.

backbone = zoo.load()
size = choose_size(backbone, pictures, labels, groups, classes=2, picture_side=500).size
found = features(backbone, pictures, backbone.preprocess(size), cache_dir=cache, mirror=True)
examined = examine(found, labels, groups, STRATEGIES.values(), classes=2, budget_seconds=60)
choice = choose(examined, trial)
model = Classifier(backbone, classes=2, layers=choice.strategy.layers)
"""

from darter.errors import MissingExtraError
from darter.extras import install_line

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError(f"darter.transfer needs PyTorch: {install_line('train')}") from error

from darter.transfer import strategies, zoo
from darter.transfer.backbone import Backbone, Block, Classifier, TransferModel
from darter.transfer.binary_net import binary_net
from darter.transfer.choose import Examined, choose, examine
from darter.transfer.contest import BackboneChoice, Rival, choose_backbone
from darter.transfer.decide import SMALL_SIDE, on_all_layers
from darter.transfer.features import Features, features
from darter.transfer.normalized import given_as
from darter.transfer.probe import Probe, find_strength, fit_probe
from darter.transfer.records import (
    Ahead,
    Candidate,
    Choice,
    Trial,
    TrialCall,
    TrialFunction,
    cheapest_within_one_standard_error,
)
from darter.transfer.sizes import SizeChoice, choose_size
from darter.transfer.small import small_net, small_size
from darter.transfer.strategies import STRATEGIES, Strategy, parameter_groups, prepare, train_mode

__all__ = [
    "SMALL_SIDE",
    "STRATEGIES",
    "Ahead",
    "Backbone",
    "BackboneChoice",
    "Block",
    "Candidate",
    "Choice",
    "Classifier",
    "Examined",
    "Features",
    "Probe",
    "Rival",
    "SizeChoice",
    "Strategy",
    "TransferModel",
    "Trial",
    "TrialCall",
    "TrialFunction",
    "binary_net",
    "cheapest_within_one_standard_error",
    "choose",
    "choose_backbone",
    "choose_size",
    "examine",
    "features",
    "find_strength",
    "fit_probe",
    "given_as",
    "on_all_layers",
    "parameter_groups",
    "prepare",
    "small_net",
    "small_size",
    "strategies",
    "train_mode",
    "zoo",
]
