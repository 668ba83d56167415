"""A model with its preprocessing inside, in ONNX Runtime, against `darter predict` on the files.

    python bench/elsewhere.py run/model.onnx photos/val

Prints the largest difference of a probability, for the files as darter reads them and for the same
pixels, and in how many pictures the likeliest class differs.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

import darter
from darter.model import export_with_preprocessing
from darter.picture import EXTENSIONS


def decoded(path: Path) -> np.ndarray:
    """uint8 (H, W, 3) as any program decodes it: all pixels, upright."""
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    options = parser.parse_args()
    endings = frozenset().union(*EXTENSIONS.values())
    files = sorted(f for f in options.pictures.rglob("*") if f.suffix.lower() in endings)
    own = darter.load(options.model)
    classes = own.info.classes
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "pixels.onnx"
        export_with_preprocessing(own, options.model, exported)
        other = onnxruntime.InferenceSession(str(exported))
    differences = {"of files": [], "of pixels": []}
    labels = 0
    for file in files:
        pixels = decoded(file)
        (elsewhere,) = other.run(None, {"pixels": pixels})
        for name, source in (("of files", file), ("of pixels", pixels)):
            (answer,) = own.predict([source], top=len(classes))
            here = dict(answer.top)
            differences[name].append(
                max(abs(here[c] - p) for c, p in zip(classes, elsewhere, strict=True))
            )
            labels += answer.top[0][0] != classes[elsewhere.argmax()]
    for name, values in differences.items():
        print(f"probabilities {name}: largest difference {max(values):.1e}, {len(values)} pictures")
    print(f"likeliest class differs: {labels}")


if __name__ == "__main__":
    main()
