"""Which pixels of the picture a unit sees, along one axis of the picture.

Source: Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019; here for any axis, through branches, and where all units see the same.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Span:
    """Unit i sees the pixels from first + i stride to last + i stride, both included.

    axis: of the tensor, along which i counts; None where all units see the same, and stride is 0.
    Negative pixels, and those beyond the picture, are padding.
    """

    first: float
    last: float
    stride: float
    axis: int | None

    @property
    def size(self) -> float:
        return self.last - self.first + 1

    def window(self, reach: int, stride: int, before: int) -> "Span":
        """What a window over units sees: `reach` units wide, the first `before` units early."""
        return replace(
            self,
            first=self.first - before * self.stride,
            last=self.last + (reach - 1 - before) * self.stride,
            stride=self.stride * stride,
        )

    def moved(self, units: float, step: float = 1) -> "Span":
        """Where unit 0 is what was unit `units`, and the next is `step` units further."""
        return replace(
            self,
            first=self.first + units * self.stride,
            last=self.last + units * self.stride,
            stride=self.stride * step,
        )

    def on(self, axis: int | None) -> "Span":
        return replace(self, axis=axis)

    def spread(self, count: int) -> "Span":
        """Each unit sees what all `count` units saw."""
        if self.axis is None:
            return self
        return Span(self.first, self.last + (count - 1) * self.stride, 0.0, None)


def union(spans: list[tuple[Span, int]]) -> Span:
    """What sees all of these: pairs of a span and the number of its units."""
    first = spans[0][0]
    if any((s.axis, s.stride) != (first.axis, first.stride) for s, _ in spans):
        spans = [(s.spread(count), 1) for s, count in spans]
    low, high = (min(s.first for s, _ in spans), max(s.last for s, _ in spans))
    return replace(spans[0][0], first=low, last=high)
