"""A multi-label data set from any folder-per-class set: 2×2 mosaics with the labels of their parts.

    .venv/bin/python bench/mosaics.py cifar10_small/train mosaics/ --count 2000
    .venv/bin/darter train mosaics/list.csv --time 15m

Each mosaic shows one to four different pictures of the source; a picture is used in mosaics of one
side (train, val or test) only, so that nothing leaks.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="one folder per class")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--count", type=int, default=2000, help="mosaics")
    parser.add_argument("--side", type=int, default=64, help="pixels of a mosaic")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} is there already; name a new folder")
    rng = np.random.default_rng(options.seed)
    sides = _divide(options.source, rng) if options.source.is_dir() else {}
    if not sides or not all(sides.values()):
        parser.error(f"{options.source} must hold a folder per class, with 7 pictures or more")
    options.out.mkdir(parents=True)
    with (options.out / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "labels", "split"])
        for number in range(options.count):
            side = str(rng.choice(list(SHARES), p=list(SHARES.values())))
            mosaic, labels = _mosaic(sides[side], options.side, rng)
            mosaic.save(options.out / f"{number:05}.png")
            rows.writerow([f"{number:05}.png", "|".join(labels), side])
    print(f"{options.count} mosaics in {options.out / 'list.csv'}")


def _divide(source: Path, rng: np.random.Generator) -> dict[str, list[tuple[Path, str]]]:
    """The source's pictures, dealt out to the sides class by class."""
    sides: dict[str, list[tuple[Path, str]]] = {side: [] for side in SHARES}
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        files = [path for path in sorted(folder.iterdir()) if path.is_file()]
        edges = np.cumsum([round(share * len(files)) for share in SHARES.values()])[:-1]
        for side, part in zip(SHARES, np.split(rng.permutation(len(files)), edges), strict=True):
            sides[side] += [(files[k], folder.name) for k in part]
    return sides


def _mosaic(
    pictures: list[tuple[Path, str]], side: int, rng: np.random.Generator
) -> tuple[Image.Image, list[str]]:
    """One to four pictures in the corners of a grey square, and their labels."""
    mosaic = Image.new("RGB", (side, side), (128, 128, 128))
    half = side // 2
    corners = rng.permutation([(0, 0), (half, 0), (0, half), (half, half)])
    chosen = rng.choice(len(pictures), rng.integers(1, 5), replace=False)
    labels = set()
    for (x, y), k in zip(corners.tolist(), chosen, strict=False):
        path, label = pictures[k]
        mosaic.paste(Image.open(path).convert("RGB").resize((half, half)), (x, y))
        labels.add(label)
    return mosaic, sorted(labels)


if __name__ == "__main__":
    main()
