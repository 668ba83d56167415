"""Small annotated pictures on disk, for tests: real files of each format."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

VOC = """<annotation><folder>x</folder><filename>{name}</filename>
<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>{objects}</annotation>"""
OBJECT = """<object><name>{label}</name><difficult>{difficult}</difficult><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def picture(path: Path, size=(60, 40), seed=0, orientation=1) -> Path:
    """A JPEG of noise, (width, height) as it lies in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    exif = Image.Exif()
    if orientation > 1:
        exif[0x0112] = orientation
    Image.fromarray(noise).save(path, exif=exif)
    return path


def voc(path: Path, boxes, size=(60, 40), name=None) -> Path:
    """boxes: (label, (xmin, ymin, xmax, ymax)) as VOC counts; a third True is "difficult"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        OBJECT.format(*corners, label=label, difficult=int(bool(rest)))
        for label, corners, *rest in boxes
    )
    path.write_text(VOC.format(name=name or f"{path.stem}.jpg", size=size, objects=objects))
    return path


def coco(path: Path, pictures, categories=("cell",), size=(60, 40)) -> Path:
    """pictures: {file name: [(label, (x, y, width, height))]}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [
        {"id": k, "file_name": name, "width": size[0], "height": size[1]}
        for k, name in enumerate(pictures)
    ]
    entries = [
        {"id": 1, "image_id": k, "category_id": categories.index(label) + 1, "bbox": list(box)}
        for k, boxes in enumerate(pictures.values())
        for label, box in boxes
    ]
    names = [{"id": k, "name": name} for k, name in enumerate(categories, 1)]
    content = {"images": images, "annotations": entries, "categories": names}
    path.write_text(json.dumps(content))
    return path


def shapes(folder: Path, many: int, *, size=(96, 64), seed=0) -> Path:
    """A VOC set that can be learned: bright "disc"s and dark "square"s on grey."""
    random = np.random.default_rng(seed)
    for number in range(many):
        pixels = random.integers(110, 140, (size[1], size[0], 3)).astype(np.uint8)
        boxes = []
        for label in random.choice(["disc", "square"], random.integers(1, 4)):
            side = int(random.integers(14, 26))
            x, y = (int(random.integers(0, s - side)) for s in size)
            rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
            inside = np.hypot(rows, columns) <= side / 2 if label == "disc" else rows > -side
            patch = pixels[y : y + side, x : x + side]
            patch[inside] = 235 if label == "disc" else 25
            boxes.append((str(label), (x + 1, y + 1, x + side, y + side)))
        name = f"{number:03}"
        path = folder / "JPEGImages" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        voc(folder / "Annotations" / f"{name}.xml", boxes, size, f"{name}.png")
    return folder
