"""A one-stage detector without anchors: at every point of the pyramid, scores and a box."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from darter.detect.agreement import agreed
from darter.detect.detector_net import DetectorHead, DetectorNet
from darter.detect.loss import DetectionLoss
from darter.detect.points import STRIDES, Points
from darter.detect.pyramid import Pyramid
from darter.transfer import Backbone, Strategy

WIDTH, GROUPS = 96, 8
RARE = 0.01  # score of every class before training: nearly every point is background
CANDIDATES = 300  # boxes of a picture that are looked at for doubles


class Towers(nn.Module):
    """Two convolutions for the classes and two for the box, shared by all levels.

    Gives (N, P, classes + 4): logits, and distances to the four sides in strides (above 0).
    Source: Tian et al., arXiv:1904.01355.
    """

    def __init__(self, classes: int, width: int = WIDTH) -> None:
        super().__init__()
        self.classes = classes
        self.score_tower, self.box_tower = _tower(width), _tower(width)
        self.score = nn.Conv2d(width, classes, 3, padding=1)
        self.box = nn.Conv2d(width, 4, 3, padding=1)
        self.scales = nn.Parameter(torch.full((len(STRIDES),), 2.0))
        nn.init.normal_(self.score.weight, std=0.01)
        assert self.score.bias is not None and self.box.bias is not None
        nn.init.constant_(self.score.bias, -math.log((1 - RARE) / RARE))
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.constant_(self.box.bias, 0.5)

    def forward(self, levels: list[Tensor]) -> Tensor:
        found = []
        for number, level in enumerate(levels):
            scores = self.score(self.score_tower(level))
            reach = softplus(self.box(self.box_tower(level))) * self.scales[number].abs()
            found.append(torch.cat((scores, reach), dim=1).flatten(2).transpose(1, 2))
        return torch.cat(found, dim=1)


def _tower(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False),
                   nn.GroupNorm(GROUPS, width), nn.ReLU()]  # fmt: skip
    return nn.Sequential(*layers)


class Head(DetectorHead):
    """The pyramid and the towers on it."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(backbone, WIDTH)
        self.dropout = nn.Dropout(0.0)
        self.towers = Towers(classes)


class OneStage(DetectorNet):
    """In training: (N, P, classes + 4), as `Towers` gives it."""

    head: Head
    places: Tensor  # buffers: those of `Points`
    strides: Tensor
    strategy = Strategy(
        "one-stage",
        "a one-stage detector on the pretrained network's feature pyramid",
        cost=4,
        trains="all",
        start="random",
        learning_rates=(3e-4, 6e-4, 1.2e-3),
        head_multiplier=2.0,
        layer_decay=0.85,
        batch_size=8,
        epochs=60,
    )

    def __init__(
        self, backbone: Backbone, classes: int, sides: tuple[int, int], *, seed: int = 0
    ) -> None:
        super().__init__(backbone, classes, sides, seed)
        self.head = Head(backbone, classes)
        points = Points.of(sides)
        self.register_buffer("places", points.places, persistent=False)
        self.register_buffer("strides", points.strides, persistent=False)

    def loss(self) -> DetectionLoss:
        return DetectionLoss(self.classes, self.sides)

    def forward(self, x: Tensor) -> Tensor:
        raw = self.head.towers(self.head.pyramid(self.net, x))
        return raw if self.training_head else self.candidates(raw)

    def candidates(self, raw: Tensor) -> Tensor:
        logits, reach = raw[..., : self.classes], raw[..., self.classes :]
        boxes = Points(self.places, self.strides).boxes(reach)
        likely, labels = logits.max(dim=2)  # a point tells one thing
        count = min(CANDIDATES, likely.shape[1])
        best, point = likely.topk(count, dim=1)
        label = labels.gather(1, point)
        corners = self.clipped(boxes.gather(1, point[..., None].expand(-1, -1, 4)))
        scores = agreed(best, label, corners)
        rows = torch.cat((scores[..., None], label[..., None].to(scores.dtype), corners), dim=-1)
        order = scores.topk(count, dim=1)[1]
        return rows.gather(1, order[..., None].expand(-1, -1, 6))
