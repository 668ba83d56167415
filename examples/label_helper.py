"""Which pictures to label next: those that the model is least sure of.

python label_helper.py model.onnx unlabelled/ > next.txt
"""

import sys
from pathlib import Path

import darter


def main(model: str, folder: str, most: int = 50) -> None:
    pictures = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    answers = [a for a in darter.load(model).predict(pictures, top=2) if a.error is None]
    answers.sort(key=lambda answer: answer.top[0][1] - answer.top[1][1])  # by the lead of the best
    for answer in answers[: int(most)]:
        (first, p), (second, q) = answer.top
        print(f"{answer.source}\t{first} {p:.0%} or {second} {q:.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
