"""COCO: one JSON file for many pictures, with boxes [x, y, width, height], or with captions.

Source: https://cocodataset.org/#format-data
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from darter.dataset.annotations.numbers import Broken, coordinate, name, read_json, size
from darter.dataset.boxes import Box, Boxes, Captions, Flaw


def is_coco(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    )


def has_captions(content: Any) -> bool:
    """Whether the annotations are sentences and not boxes."""
    first = next((a for a in content["annotations"] if isinstance(a, dict)), {})
    return "caption" in first and "bbox" not in first


def load_coco(file: Path) -> Any:
    """The file's content. Raises Broken where it is none of COCO's."""
    content = read_json(file)
    if not is_coco(content):
        raise Broken("has no lists `images` and `annotations`")
    return content


def read_content(content: Any) -> Iterator[tuple[str, Boxes | Captions]]:
    """(file_name, what is said of it) for every picture that the file lists."""
    by_picture: dict[Any, list[Any]] = defaultdict(list)
    for entry in content["annotations"]:
        if isinstance(entry, dict) and isinstance(entry.get("image_id"), int | str):
            by_picture[entry["image_id"]].append(entry)
    captions, names = has_captions(content), _categories(content)
    for picture in content["images"]:
        if not isinstance(picture, dict) or not isinstance(picture.get("file_name"), str):
            continue
        number = picture.get("id")
        entries = by_picture.get(number, []) if isinstance(number, int | str) else []
        path = picture["file_name"].replace("\\", "/")
        if captions:
            yield path, _captions(entries)
        else:
            yield path, _boxes(entries, names, size(picture.get("width"), picture.get("height")))


def _categories(content: Any) -> dict[Any, str]:
    names = {}
    for entry in content.get("categories") or ():
        try:
            names[entry["id"]] = name(entry["name"])
        except (TypeError, KeyError, Broken):
            continue
    return names


def _boxes(entries: list[Any], names: dict[Any, str], sides: tuple[int, int] | None) -> Boxes:
    boxes: list[Box] = []
    flaws: list[Flaw] = []
    for entry in entries:
        try:
            number = entry.get("category_id")
            if not isinstance(number, int | str) or number not in names:
                flaws.append(("unknown class", f"there is no category {str(number)[:40]}"))
                continue
            boxes.append(_box(entry, names[number]))
        except Broken as error:
            flaws.append(("broken box", str(error)))
    return Boxes(tuple(boxes), sides, flaws=tuple(flaws))


def _box(entry: Any, label: str) -> Box:
    given = entry.get("bbox")
    if not isinstance(given, list) or len(given) != 4:
        raise Broken("a bbox is not four numbers")
    x, y, width, height = map(coordinate, given)
    return Box(label, (x, y, x + width, y + height), bool(entry.get("iscrowd")))


def _captions(entries: list[Any]) -> Captions:
    texts = [entry.get("caption") for entry in entries]
    return Captions(tuple(" ".join(t.split()) for t in texts if isinstance(t, str) and t.strip()))
