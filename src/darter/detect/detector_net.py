"""What every kind of detector offers to training and export."""

import torch
from torch import Tensor, nn

from darter.train import Loss
from darter.transfer import Backbone, Strategy, TransferModel


class DetectorHead(nn.Module):
    """All that a detector has beside its backbone."""

    dropout: nn.Dropout


class DetectorNet(TransferModel):
    """Pictures (N, 3, H, W) of `sides` to what is in them.

    In training, `forward` gives what `loss` takes. In evaluation: the likeliest candidates of each
    picture, (N, K, 6): score, class, corners in pixels of the input, best first, with doubles.
    """

    strategy: Strategy  # how this kind is trained where nothing else is asked for
    compiles = True  # whether the compiled core may run its training steps
    told = "overlap"  # what the loss's `rightness` is, for a progress bar
    head: DetectorHead

    def __init__(self, backbone: Backbone, classes: int, sides: tuple[int, int], seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone, self.sides, self.classes = backbone, sides, classes
        self.net = backbone.net

    @property
    def dropout(self) -> nn.Dropout:
        return self.head.dropout

    @property
    def training_head(self) -> bool:
        """Whether the head trains; the backbone's norms may be in evaluation mode meanwhile."""
        return self.head.training

    def loss(self) -> Loss:
        raise NotImplementedError

    def clipped(self, boxes: Tensor) -> Tensor:
        """Boxes (…, 4) without what lies beside the picture."""
        height, width = self.sides
        edge = boxes.new_tensor((width, height, width, height))
        return torch.minimum(boxes.clamp(min=0), edge)
