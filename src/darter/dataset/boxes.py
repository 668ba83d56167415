"""What an annotation says of a picture: boxes around things, or sentences about it."""

from collections import Counter
from dataclasses import dataclass

Corners = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; pixel i spans [i, i + 1)
Flaw = tuple[str, str]  # a key of `KINDS`, and what is wrong in words


@dataclass(frozen=True)
class Box:
    """One thing in a picture.

    spare: it counts neither as found nor as missed (VOC's "difficult", a crowd of COCO).
    """

    label: str
    corners: Corners
    spare: bool = False


@dataclass(frozen=True)
class Boxes:
    """Everything that is marked in one picture; nothing, where an annotation says so.

    size: (width, height) of the picture as the annotation tells it, or None.
    relative: corners are shares of the picture's sides, not pixels.
    flaws: what was odd in the annotation.
    """

    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    relative: bool = False
    flaws: tuple[Flaw, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every class that is in the picture, once."""
        return tuple(sorted({box.label for box in self.boxes}))

    def __str__(self) -> str:
        """ "12 red cells, 1 white cell", for a reader."""
        counts = Counter(box.label for box in self.boxes)
        return ", ".join(f"{number} {label}" for label, number in sorted(counts.items())) or "none"


@dataclass(frozen=True)
class Captions:
    """Sentences that people have written about one picture."""

    sentences: tuple[str, ...]
    flaws: tuple[Flaw, ...] = ()

    def __str__(self) -> str:
        return " | ".join(self.sentences) or "none"
