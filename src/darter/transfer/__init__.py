"""What to start from and what to retrain: pretrained nets, their features, and a measured choice.

backbone = zoo.load()
model = Classifier(backbone, classes=10)
STRATEGIES["fine-tune-all"]
"""

from darter.errors import MissingExtraError

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError('darter.transfer needs PyTorch: pip install "darter[train]"') from error

from darter.transfer import strategies, zoo
from darter.transfer.backbone import Backbone, Block, Classifier
from darter.transfer.strategies import STRATEGIES, Strategy, parameter_groups, prepare, train_mode

__all__ = [
    "STRATEGIES",
    "Backbone",
    "Block",
    "Classifier",
    "Strategy",
    "parameter_groups",
    "prepare",
    "strategies",
    "train_mode",
    "zoo",
]
