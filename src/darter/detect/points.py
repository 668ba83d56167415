"""The points of a feature pyramid: where a one-stage detector says what it sees."""

from dataclasses import dataclass

import torch
from torch import Tensor

STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Points:
    """Every point of every level, for inputs of (height, width).

    places: (P, 2), x and y in pixels of the input.   strides: (P,), pixels between neighbours.
    """

    places: Tensor
    strides: Tensor

    @classmethod
    def of(cls, sides: tuple[int, int], strides: tuple[int, ...] = STRIDES) -> "Points":
        """In the order in which heads are flattened: level by level, row by row."""
        places, steps = [], []
        for stride in strides:
            rows, columns = (-(-side // stride) for side in sides)
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            places.append((torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride)
            steps.append(torch.full((rows * columns,), float(stride)))
        return cls(torch.cat(places).float(), torch.cat(steps))

    def boxes(self, distances: Tensor) -> Tensor:
        """Distances (…, P, 4) to left, top, right and bottom, in strides, as corners in pixels."""
        reach = distances * self.strides[:, None]
        low, high = self.places - reach[..., :2], self.places + reach[..., 2:]
        return torch.cat((low, high), dim=-1)
