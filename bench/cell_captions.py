"""Sentences whose truth is known, made from boxes: "one white cell among many red cells".

    python bench/cell_captions.py blood_cells/ captions.csv

Reads pictures with boxes of the classes RBC, WBC and Platelets in any layout that `darter audit`
knows, and writes a list (path, caption, split) that `darter train` takes. Each picture gets one
sentence by one of 12 templates; which one depends on what is in the picture alone, so that a model
which sees can say it word for word.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

from darter.dataset import Boxes, find_samples

NUMBERS = ("no", "one", "two", "three", "four", "five")
FEW = 8  # red cells
MANY = 15


def words(count: int, noun: str) -> str:
    """(2, "platelet") -> "two platelets"; "many platelets" where nobody would count them."""
    number = NUMBERS[count] if count < len(NUMBERS) else "many"
    return f"{number} {noun}{'' if count == 1 else 's'}"


def red(count: int) -> str:
    if count == 0:
        return "no red cells"
    return f"{'few' if count <= FEW else 'several' if count <= MANY else 'many'} red cells"


def sentence(counts: Counter[str]) -> str:
    """One of 12 templates: 3 by white cells (none, one, more) × 2 by red ones × 2 by platelets."""
    whites, reds, platelets = counts["WBC"], counts["RBC"], counts["Platelets"]
    crowd = red(reds)
    with_ = f"with {words(platelets, 'platelet')}"
    if whites == 0:
        start = f"{crowd} and no white cell" if reds <= FEW else f"a field of {crowd} only"
    elif whites == 1:
        start = f"one white cell beside {crowd}" if reds <= FEW else f"one white cell among {crowd}"
    else:
        many = words(whites, "white cell")
        start = f"{many} beside {crowd}" if reds <= FEW else f"{many} lie among {crowd}"
    return f"{start}, no platelets" if platelets == 0 else f"{start} {with_}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    listing = find_samples(given.pictures)
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "caption", "split"))
        for sample in listing.samples:
            assert isinstance(sample.target, Boxes)
            said = sentence(Counter(box.label for box in sample.target.boxes))
            writer.writerow((sample.path.resolve(), said, sample.split or ""))
    print(f"{given.out}: {len(listing.samples)} sentences")


if __name__ == "__main__":
    main()
