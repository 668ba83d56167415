"""LabelMe: one JSON file per picture, with outlines as lists of points in pixels."""

from pathlib import Path
from typing import Any

from darter.dataset.annotations.numbers import Broken, coordinate, name, read_json, size
from darter.dataset.boxes import Box, Boxes, Flaw

SUFFIX = ".json"


def is_labelme(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(file: Path) -> tuple[Boxes, str]:
    """What the file marks, and the name of its picture. Never raises."""
    try:
        content = read_json(file)
    except Broken as error:
        return Boxes(flaws=(("broken annotation", f"{file.name} {error}"),)), ""
    if not is_labelme(content):
        return Boxes(flaws=(("broken annotation", f"{file.name} has no list of shapes"),)), ""
    boxes: list[Box] = []
    flaws: list[Flaw] = []
    for shape in content["shapes"]:
        try:
            boxes.append(_box(shape))
        except Broken as error:
            flaws.append(("broken box", f"{file.name}: {error}"))
    sides = size(content.get("imageWidth"), content.get("imageHeight"))
    path = content.get("imagePath")
    picture = path.replace("\\", "/").rpartition("/")[2] if isinstance(path, str) else ""
    return Boxes(tuple(boxes), sides, flaws=tuple(flaws)), picture


def _box(shape: Any) -> Box:
    """The box around an outline; a circle is told by its middle and a point of its edge."""
    if not isinstance(shape, dict) or not isinstance(shape.get("points"), list):
        raise Broken("a shape has no points")
    points = []
    for point in shape["points"]:
        if not isinstance(point, list) or len(point) != 2:
            raise Broken("a point is not two numbers")
        points.append((coordinate(point[0]), coordinate(point[1])))
    if len(points) < 2:
        raise Broken("a shape needs two points to have an extent")
    label = name(shape.get("label"))
    if shape.get("shape_type") == "circle":
        (x, y), (u, v) = points[:2]
        radius = ((x - u) ** 2 + (y - v) ** 2) ** 0.5
        return Box(label, (x - radius, y - radius, x + radius, y + radius))
    xs, ys = zip(*points, strict=True)
    return Box(label, (min(xs), min(ys), max(xs), max(ys)))
