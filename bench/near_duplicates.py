"""Near-duplicates on your own pictures: how many edited copies are found, and what else is paired.

    python bench/near_duplicates.py FOLDER
    python bench/near_duplicates.py --digits

Prints the groups found among the pictures as they are (look at them: are they real?) and, per
edit, the share of edited copies whose similarity to the original reaches the collection's limit.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from darter.dataset import find_samples
from darter.dataset.duplicates import (
    descriptors,
    near_duplicate_groups,
    similarity_limit,
    thumbnail,
)
from darter.picture import PictureError, decode

MOST_COPIED = 400


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def scaled(image, divisor):
    return image.resize((max(1, image.width // divisor), max(1, image.height // divisor)))


def cropped(image, share):
    x, y = int(image.width * share), int(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


EDITS = {
    "half size": lambda i: scaled(i, 2),
    "fifth size": lambda i: scaled(i, 5),
    "squeezed to 256x256": lambda i: i.resize((256, 256)),
    "JPEG quality 10": lambda i: jpeg(i, 10),
    "half size, quality 50": lambda i: jpeg(scaled(i, 2), 50),
    "1% cut off each side": lambda i: cropped(i, 0.01),
    "2.5% cut off each side": lambda i: cropped(i, 0.025),
    "5% cut off each side": lambda i: cropped(i, 0.05),
    "20% brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.2),
    "turned by 2 degrees": lambda i: i.rotate(2),
}


def digits():
    """scikit-learn's scans, as (name, picture)."""
    from sklearn.datasets import load_digits

    for number, scan in enumerate(load_digits().images):
        image = Image.fromarray((scan * 15.9).astype(np.uint8))
        yield str(number), image.resize((32, 32)).convert("RGB")


def pictures(folder):
    for sample in find_samples(folder).samples:
        try:
            yield str(sample.path), Image.fromarray(decode(sample.path, min_side=512).pixels)
        except PictureError as error:
            print(error)


def thumbnails(images):
    return np.stack([thumbnail(np.asarray(image.convert("RGB"))) for image in images])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--digits", action="store_true", help="scikit-learn's scans of digits")
    options = parser.parse_args()
    if not options.digits and options.folder is None:
        parser.error("give a folder or --digits")
    names, images = zip(*(digits() if options.digits else pictures(options.folder)), strict=True)
    originals = thumbnails(images)
    limit = similarity_limit(descriptors(originals))
    groups = near_duplicate_groups(originals)
    print(f"{len(images)} pictures, limit {limit:.3f}, {len(groups)} groups as they are")
    for group in groups:
        print("   ", *(names[index] for index in group))
    step = -(-len(images) // MOST_COPIED)
    for name, edit in EDITS.items():
        copies = thumbnails([edit(image) for image in images[::step]])
        described = descriptors(np.concatenate([originals, copies]))
        similar = (described[: len(images) : step] * described[len(images) :]).sum(axis=1)
        found = np.mean(similar >= limit)
        print(f"{name:24s} found {found:6.1%}  least similar {similar.min():.3f}")


if __name__ == "__main__":
    main()
