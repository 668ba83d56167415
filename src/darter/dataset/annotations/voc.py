"""Pascal VOC: one XML file per picture, with corners in pixels that count from 1.

Source: Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 Development Kit".
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from darter.dataset.annotations.numbers import Broken, coordinate, name, read_text, size
from darter.dataset.boxes import Box, Boxes, Flaw

SUFFIX = ".xml"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(file: Path) -> bool:
    """Whether an XML file is an annotation, by its beginning."""
    try:
        with file.open("rb") as stream:
            return b"<annotation" in stream.read(4096)
    except OSError:
        return False


def read_voc(file: Path) -> tuple[Boxes, str]:
    """What the file marks, and the name of its picture ("" where it tells none). Never raises.

    The first pixel is 1 there, and both corners belong to the box; so xmin..xmax spans
    [xmin - 1, xmax] here.
    """
    try:
        text = read_text(file)
        if "<!ENTITY" in text:  # a few letters that stand for gigabytes
            raise Broken("it defines entities, which annotations need not")
        root = ElementTree.fromstring(text)
    except Broken as error:
        return _broken(file, str(error)), ""
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        return _broken(file, f"is no XML: {error}"), ""
    if root.tag != "annotation":
        return _broken(file, f"its first element is <{root.tag[:40]}>, not <annotation>"), ""
    boxes, flaws = [], []
    for element in root.iter("object"):
        found = _box(element)
        if isinstance(found, Box):
            boxes.append(found)
        else:
            flaws.append(found)
    sides = size(root.findtext("size/width"), root.findtext("size/height"))
    return Boxes(tuple(boxes), sides, flaws=tuple(flaws)), (root.findtext("filename") or "").strip()


def _box(element: ElementTree.Element) -> Box | Flaw:
    try:
        label = name(element.findtext("name"))
        x0, y0, x1, y1 = (coordinate(element.findtext(f"bndbox/{side}")) for side in CORNERS)
    except Broken as error:
        return "broken box", str(error)
    if x1 > x0 and y1 > y0:  # equal corners are a slip of the mouse, not one pixel
        x0, y0 = x0 - 1, y0 - 1
    return Box(label, (x0, y0, x1, y1), (element.findtext("difficult") or "").strip() == "1")


def _broken(file: Path, why: str) -> Boxes:
    return Boxes(flaws=(("broken annotation", f"{file.name} {why}"),))
