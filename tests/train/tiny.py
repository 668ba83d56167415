"""A net of two blocks and pictures of two colors: training them takes a second."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from darter.picture import Augment, Picture, Preprocess
from darter.train import Examples, Fitted, Recipe, fit
from darter.transfer import STRATEGIES, Backbone, Classifier
from darter.transfer.blocks import cut

SIZE = 16


class TinyNet(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.top = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )

    def forward_features(self, x):
        return self.top(self.stem(x))

    def forward(self, x):
        return self.forward_features(x).mean(dim=(2, 3))


def tiny_backbone(seed: int = 0) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = TinyNet().eval()
    return Backbone(
        name="tiny",
        net=net,
        blocks=cut(net),
        feature_dim=16,
        taps={"stem": 8},
        size=SIZE,
        resize=SIZE,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        source="random",
    )


def tiny_model(classes: int = 3, layers: str = "last", seed: int = 0) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Classifier(tiny_backbone(seed), classes, layers=layers)


def tiny_pictures(count: int, classes: int = 3, seed: int = 0) -> Examples:
    """Noise whose tint gives the class away, mostly."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = random.integers(0, 200, (count, SIZE, SIZE, 3))
    for number, label in enumerate(labels):
        pixels[number, :, :, label % 3] += 30
    pictures = [Picture(np.ascontiguousarray(p, np.uint8), ()) for p in pixels]
    return Examples(pictures, labels.astype(np.int64))


@dataclass(frozen=True)
class Problem:
    train: Examples
    val: Examples
    augment: Augment
    preprocess: Preprocess


def tiny_problem(train: int = 40, val: int = 12) -> Problem:
    look = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    return Problem(
        tiny_pictures(train),
        tiny_pictures(val, seed=1),
        Augment.from_dict({"flip": {"p": 0.5}}, SIZE, **look),
        Preprocess(SIZE, SIZE, **look),
    )


QUICK = Recipe(
    epochs=3, batch_size=8, learning_rate=0.01, precision="float32", threads=1, patience=0
)
ALL = STRATEGIES["fine-tune-all"]


def train(model, problem, recipe=QUICK, strategy=ALL, out=None, **options) -> Fitted:
    return fit(
        model,
        strategy,
        recipe,
        options.pop("train", problem.train),
        options.pop("val", problem.val),
        out,
        augment=options.pop("augment", problem.augment),
        preprocess=options.pop("preprocess", problem.preprocess),
        **options,
    )
