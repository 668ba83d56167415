"""The pictures of `darter demo`: 1,797 real handwritten digits that scikit-learn ships."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image


def write_digits(folder: Path, *, side: int = 32) -> None:
    """Write the scans as `folder/<digit>/<number>.png`, all of them or none.

    The scans are 8×8 with 17 grey levels (UCI "Optical Recognition of Handwritten Digits");
    they are enlarged to `side` pixels so that a person can look at them. A folder that exists
    is left as it is.
    """
    if folder.exists():
        return
    from sklearn.datasets import load_digits

    digits = load_digits()
    aside = folder.with_name(folder.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    for number, (scan, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = aside / str(digit) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray(np.uint8(np.round(255 - scan * (255 / 16))))
        grey.resize((side, side), Image.Resampling.BICUBIC).save(path)
    aside.rename(folder)
