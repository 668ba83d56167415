"""The drawings of the documentation's explanations, from darter's own code.

    python bench/figures.py    docs/pictures/{augmentations,views}.jpg, {fields,rounding}.svg

The photo is scikit-learn's sample picture flower.jpg (Dany Sternfeld, CC BY).
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

OUT = Path(__file__).parents[1] / "docs" / "pictures"
SIDE = 150
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}

# one transform each, at a strength that is seen
SHEET = {
    "flip": {"p": 1.0},
    "scale_crop": {"short_side": (256, 480)},
    "translate": {"x": (0.2, 0.2), "y": (0.1, 0.1)},
    "rotate": {"degrees": (20, 20)},
    "stretch": {"x": (1.4, 1.4)},
    "shear": {"x": (20, 20)},
    "perspective": {},
    "lens": {"k": (0.35, 0.35)},
    "jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "erase": {"p": 1.0},
}


def flower() -> NDArray[np.uint8]:
    from sklearn.datasets import load_sample_image

    return np.ascontiguousarray(load_sample_image("flower.jpg"))


def looked_at(pixels: NDArray[np.uint8], transforms: dict, seed: int = 1) -> Image.Image:
    """The picture through some transforms; which scale, SIDE pixels."""
    from darter.picture import Augment

    size = 224 if "scale_crop" in transforms else SIDE
    out = np.empty((3, size, size), np.uint8)
    Augment.from_dict(transforms, size, **PLAIN).write(pixels, out, seed, 0, 0)
    return Image.fromarray(out.transpose(1, 2, 0)).resize((SIDE, SIDE))


def sheet(pictures: dict[str, Image.Image], columns: int) -> Image.Image:
    """Pictures in rows, each with its name below."""
    pitch, high = SIDE + 10, SIDE + 26
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * pitch + 10, rows * high + 10), "white")
    draw = ImageDraw.Draw(page)
    for k, (name, image) in enumerate(pictures.items()):
        x, y = 10 + k % columns * pitch, 10 + k // columns * high
        page.paste(image, (x, y))
        draw.text((x, y + SIDE + 4), name, "black")
    return page


def augmentations() -> None:
    from darter.picture import SETS

    pixels = flower()
    drawn = {"as it is": looked_at(pixels, {})}
    drawn |= {name: looked_at(pixels, {name: options}) for name, options in SHEET.items()}
    drawn["all of it, one resampling"] = looked_at(pixels, SETS["strong"], seed=2)
    sheet(drawn, 4).save(OUT / "augmentations.jpg", quality=85, optimize=True)


def views() -> None:
    """Where the ten crops of one scale lie in the picture."""
    from darter.picture import Views
    from darter.picture.views import PLACES

    crops = Views(size=224, scales=(256,), **PLAIN)(flower())
    names = [f"{place}{mirror}" for mirror in ("", ", mirrored") for place in PLACES]
    drawn = {}
    for name, crop in zip(names, crops, strict=True):
        bytes_ = np.clip(np.rint(255 * crop.transpose(1, 2, 0)), 0, 255).astype(np.uint8)
        drawn[name] = Image.fromarray(bytes_).resize((SIDE, SIDE))
    sheet(drawn, 5).save(OUT / "views.jpg", quality=85, optimize=True)


def fields() -> None:
    """What three stacked 3×3 convolutions see, and what they cost beside one of 7×7."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "darter"
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    for layers, color in ((3, "#cfe3ee"), (2, "#8fbdd6"), (1, "#2a78b5")):
        side = 1 + 2 * layers
        left.add_patch(plt.Rectangle((3.5 - side / 2, 3.5 - side / 2), side, side, color=color))
        left.text(3.5 - side / 2 + 0.1, 3.5 + side / 2 - 0.6, f"{layers}", color="black")
    left.set(xlim=(0, 7), ylim=(0, 7), xticks=range(8), yticks=range(8), aspect="equal")
    left.grid(color="white")
    left.set_title("pixels that 1, 2, 3 layers of 3×3 see")
    shapes = {"7×7": 49, "three 3×3": 27, "3×3": 9, "1×3, 3×1": 6, "1×1, 3×3, 1×1": 3.25}
    right.barh(list(shapes), list(shapes.values()), color="#2a78b5")
    right.invert_yaxis()
    right.bar_label(right.containers[0], padding=3)
    right.set(title="weights, in C²", xlim=(0, 56))
    figure.tight_layout()
    figure.savefig(OUT / "fields.svg", metadata={"Date": None})


def rounding() -> None:
    """The mean of many stochastic roundings, and rounding to the nearest."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "darter"
    import matplotlib.pyplot as plt

    x = np.linspace(-1, 1, 401)
    step, generator = 0.25, np.random.default_rng(0)
    below = np.floor(x / step) * step
    draws = generator.random((200, len(x))) < (x - below) / step
    figure, axis = plt.subplots(figsize=(6, 3))
    axis.plot(x, np.floor(x / step + 0.5) * step, label="to the nearest", color="#b0562b")
    axis.plot(
        x, (below + step * draws).mean(axis=0), label="stochastic, mean of 200", color="#2a78b5"
    )
    axis.plot(x, x, color="black", linewidth=0.5)
    axis.set(xlabel="x", ylabel="Round(x), ε = ¼")
    axis.legend()
    figure.tight_layout()
    figure.savefig(OUT / "rounding.svg", metadata={"Date": None})


def main() -> None:
    for draw in (augmentations, views, fields, rounding):
        draw()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
