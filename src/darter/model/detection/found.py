"""The things that a detector finds in one picture."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """One thing: its class, how sure, and x0, y0, x1, y1 in pixels of the upright picture."""

    label: str
    score: float
    corners: Corners

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "score": round(self.score, 5),
            "box": [round(value, 2) for value in self.corners],
        }


@dataclass(frozen=True)
class Detections:
    """Everything found in one picture, surest first.   size: (width, height).   error: why none."""

    source: str
    size: tuple[int, int] = (0, 0)
    found: tuple[Found, ...] = ()
    error: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many of each class."""
        return dict(sorted(Counter(each.label for each in self.found).items()))

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.source,
            "size": list(self.size),
            "counts": self.counts,
            "found": [each.to_json() for each in self.found],
            "error": self.error,
        }


def coco_results(
    all_found: Sequence[Detections], classes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """As COCO writes it: images, categories, and annotations with scores; ids count from 1."""
    number = {label: k for k, label in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for picture, each in enumerate(all_found, 1):
        width, height = each.size
        images.append({"id": picture, "file_name": each.source, "width": width, "height": height})
        for found in each.found:
            x0, y0, x1, y1 = found.corners
            box = [round(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)]
            annotations.append({
                "id": len(annotations) + 1, "image_id": picture,
                "category_id": number[found.label], "bbox": box,
                "area": round(box[2] * box[3], 2), "iscrowd": 0, "score": round(found.score, 5),
            })  # fmt: skip
    categories = [{"id": k, "name": label} for label, k in number.items()]
    return {"images": images, "annotations": annotations, "categories": categories}
