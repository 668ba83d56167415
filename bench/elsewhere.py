"""A model with its preprocessing inside, in other runtimes, against `darter predict` on the files.

    python bench/elsewhere.py run/model.onnx photos/val              ONNX Runtime
    python bench/elsewhere.py run/model.onnx photos/val --browser    and the page of examples/

Prints the largest difference of a probability, and in how many pictures the likeliest class
differs. The browser needs Chromium, and npm for onnxruntime-web.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

import darter
from darter.model import Prediction, Session, export_with_preprocessing
from darter.picture import EXTENSIONS

Answers = list[dict[str, float]]  # class -> probability, of each picture


def decoded(path: Path) -> np.ndarray:
    """uint8 (H, W, 3) as any program decodes it: all pixels, upright."""
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def by_onnxruntime(session: Session, model: Path, files: list[Path]) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model-pixels.onnx"
        export_with_preprocessing(session, model, exported)
        other = onnxruntime.InferenceSession(str(exported))
    found = (other.run(None, {"pixels": decoded(file)})[0].tolist() for file in files)
    return [dict(zip(session.info.classes, row, strict=True)) for row in found]


def by_the_page(session: Session, model: Path, files: list[Path]) -> Answers:
    from tests.examples.test_javascript import in_the_browser, prepare

    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "site", model, files)
        found = in_the_browser(Path(folder) / "site")
    return [{entry["label"]: entry["probability"] for entry in answer} for answer in found]


def compare(name: str, theirs: Answers, ours: Iterable[Prediction]) -> None:
    pairs = [(dict(answer.top), there) for answer, there in zip(ours, theirs, strict=True)]
    most = max(abs(here[c] - there[c]) for here, there in pairs for c in there)
    differ = sum(max(here, key=here.get) != max(there, key=there.get) for here, there in pairs)
    print(f"{name}: {len(pairs)} pictures, largest difference {most:.1e}, other labels {differ}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    endings = frozenset().union(*EXTENSIONS.values())
    files = sorted(f for f in options.pictures.rglob("*") if f.suffix.lower() in endings)
    session = darter.load(options.model)
    every = len(session.info.classes)
    pixels = (decoded(file) for file in files)
    theirs = by_onnxruntime(session, options.model, files)
    compare("ONNX Runtime, same pixels", theirs, session.predict(pixels, top=every))
    compare("ONNX Runtime, same files", theirs, session.predict(files, top=every))
    if options.browser:
        theirs = by_the_page(session, options.model, files)
        compare("browser, same files", theirs, session.predict(files, top=every))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
