"""Copy pictures into a folder per answer: python sort_pictures.py model.onnx inbox/ sorted/"""

import shutil
import sys
from pathlib import Path

import darter


def main(model: str, inbox: str, out: str) -> None:
    pictures = sorted(path for path in Path(inbox).rglob("*") if path.is_file())
    for answer in darter.load(model).predict(pictures):
        folder = "unreadable" if answer.error else answer.label or "unknown"
        to = Path(out) / folder / Path(answer.source).name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(answer.source, to)
        print(f"{answer.source} -> {to}")


if __name__ == "__main__":
    main(*sys.argv[1:])
