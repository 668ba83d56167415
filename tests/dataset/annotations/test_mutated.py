"""Annotation files of any content end in named findings or one sentence, never in a crash."""

import json
from pathlib import Path

import numpy as np
import pytest
from annotated import coco, picture, voc

from darter.dataset import scan, survey_samples
from darter.dataset.boxes import Boxes
from darter.errors import DataError
from darter.picture import KINDS

YOLO = "0 0.5 0.5 0.25 0.25\n1 0.1 0.2 0.1 0.1\n0 .1 .1 .2 .1 .2 .2 .1 .2\n"
PIECES = (
    *(b"", b"\0", b"\xff\xfe", b"1e999", b"-1", b"nan", b"[", b"{", b'"', b"<", b">", b"&x;"),
    *(b"9" * 400, b"null", b"true", b"\n", b" ", b"<object>", b"\xc3\x28", b"[" * 3000),
)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content with a few bytes or pieces replaced, put in, doubled or cut off."""
    data = bytearray(content)
    for _ in range(random.integers(1, 4)):
        start = int(random.integers(0, len(data) + 1))
        end = min(len(data), start + int(random.choice([0, 1, 2, 8, 60])))
        match random.integers(4):
            case 0:
                data[start:end] = PIECES[random.integers(len(PIECES))]
            case 1:
                data[start:end] = random.bytes(end - start)
            case 2:
                data[start:start] = data[start : start + 50]
            case _:
                del data[max(start, 1) :]
    return bytes(data)


def write(root: Path, kind: str) -> Path:
    picture(root / "1.jpg")
    boxes = [("cell", (11, 6, 30, 25)), ("dot", (1, 2, 9, 9))]
    if kind == "voc":
        return voc(root / "1.xml", boxes)
    if kind == "coco":
        found = {"1.jpg": [("cell", (10, 5, 20, 20)), ("dot", (0, 1, 9, 8))]}
        return coco(root / "a.json", found, ("cell", "dot"))
    if kind == "labelme":
        shapes = [{"label": label, "points": [list(c[:2]), list(c[2:])]} for label, c in boxes]
        file = root / "1.json"
        file.write_text(json.dumps({"shapes": shapes, "imagePath": "1.jpg"}))
        return file
    if kind == "csv":
        file = root / "boxes.csv"
        rows = "".join(f"1.jpg,{','.join(map(str, c))},{label}\n" for label, c in boxes)
        file.write_text("path,xmin,ymin,xmax,ymax,class\n" + rows)
        return file
    (root / "data.yaml").write_text("names:\n  0: cell\n  1: dot\nval: images/val\n")
    if kind == "yaml":
        (root / "1.txt").write_text(YOLO)
        return root / "data.yaml"
    file = root / "1.txt"
    file.write_text(YOLO)
    return file


def survives(root: Path, file: Path) -> bool:
    """Whether anything was read; every box lies in its picture."""
    try:
        audit = scan(survey_samples(file if file.suffix == ".csv" else root))
    except DataError as error:
        assert len(str(error)) < 2000
        return False
    assert all(finding.kind in KINDS for finding in audit.findings)
    for found in audit.pictures:
        if isinstance(found.sample.target, Boxes):
            for box in found.sample.target.boxes:
                x0, y0, x1, y1 = box.corners
                assert 0 <= x0 < x1 <= 60 and 0 <= y0 < y1 <= 40, box
                assert box.label.strip()
    return True


def check(root: Path, kind: str, many: int, seed: int) -> int:
    file = write(root, kind)
    whole, random = file.read_bytes(), np.random.default_rng(seed)
    assert survives(root, file)
    read = 0
    for _ in range(many):
        file.write_bytes(mutated(whole, random))
        read += survives(root, file)
    return read


KINDS_OF_FILE = ("voc", "coco", "labelme", "csv", "yolo", "yaml")


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_some_mutated_files(tmp_path, kind):
    assert check(tmp_path, kind, 60, seed=1) > 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_five_thousand_mutated_files(tmp_path, kind):
    check(tmp_path, kind, 850, seed=2)
