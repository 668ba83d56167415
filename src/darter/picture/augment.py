"""Random views of pictures: a list of named transforms with ranges, drawn by number."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter import kernels
from darter.errors import OptionError
from darter.picture import color, geometry
from darter.picture.encoded import Pixels, size_of
from darter.picture.frame import CROPS, Frame, Matrix
from darter.picture.geometry import Transform, lens, scale_crop
from darter.picture.ranges import as_number
from darter.picture.source import ValueRange
from darter.picture.warp import IMAGENET_MEAN, IMAGENET_STD, Color, Warp, apply, finish

TRANSFORMS: dict[str, type[Transform]] = {
    "flip": geometry.flip,
    "scale_crop": geometry.scale_crop,
    "area_crop": geometry.area_crop,
    "random_frame": geometry.random_frame,
    "translate": geometry.translate,
    "rotate": geometry.rotate,
    "stretch": geometry.stretch,
    "shear": geometry.shear,
    "perspective": geometry.perspective,
    "lens": geometry.lens,
    "jitter": color.jitter,
    "pca_noise": color.pca_noise,
    "erase": geometry.erase,
}

SETS: dict[str, dict[str, dict[str, Any]]] = {
    "none": {},
    "light": {"area_crop": {"area": (0.6, 1.0)}, "flip": {}},
    "default": {
        "area_crop": {"area": (0.35, 1.0)},
        "flip": {},
        "jitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    },
    "small": {  # for pictures of few pixels: what they show fills them, so little is cut off
        "flip": {},
        "rotate": {"degrees": (-8, 8)},
        "stretch": {"x": (0.9, 1.2), "y": (0.9, 1.2)},
        "translate": {"x": (-0.08, 0.08), "y": (-0.08, 0.08)},
        "jitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    },
    "strong": {
        "area_crop": {"area": (0.25, 1.0)},
        "flip": {},
        "rotate": {"degrees": (-15, 15)},
        "stretch": {"x": (0.85, 1.18), "y": (0.85, 1.18)},
        "shear": {"x": (-8, 8), "y": (-8, 8)},
        "lens": {"k": (-0.15, 0.15), "p": 0.5},
        "jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.03},
        "erase": {"p": 0.25},
    },
}


@dataclass(frozen=True)
class Augment:
    """Named transforms, applied in their order as one resampling and one color matrix.

    size: side of the square output.   mean, std: normalization of colors in [0, 1].
    pixels: statistics of the training pixels (`audit.pixels`), needed by pca_noise.
    crop: how a view that is not square after the transforms is fitted: "center", "squash", "pad".
    border: what lies outside the picture: "reflect", "edge" or "fill" (the mean color); None
        means "fill" for the crop "pad" and "reflect" for the others.
    value_range: as for `Preprocess`.

    >>> augment = Augment((flip(), rotate((-10, 10)), area_crop()), size=224)
    >>> print(augment.sample(seed=0, epoch=3, index=17, picture=(500, 375)))
    """

    transforms: tuple[Transform, ...]
    size: int
    mean: Color = IMAGENET_MEAN
    std: Color = IMAGENET_STD
    pixels: color.Pixels | None = None
    crop: str = "center"
    border: str | None = None
    value_range: ValueRange | None = None
    _components: tuple[Matrix, Matrix] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = self.transforms
        if isinstance(given, Transform | str) or not all(isinstance(t, Transform) for t in given):
            raise OptionError(
                "Augment takes a list of transforms, as [flip(), rotate((-10, 10))]; names and "
                f"options are for Augment.from_dict. Got {given!r}"
            )
        object.__setattr__(self, "transforms", tuple(given))
        check_output(self.size, self.mean, self.std)
        object.__setattr__(self, "size", int(self.size))
        if self.crop not in CROPS:
            raise OptionError(f"crop must be one of {', '.join(CROPS)}, got {self.crop!r}")
        if self.border is None:
            object.__setattr__(self, "border", "fill" if self.crop == "pad" else "reflect")
        if self.border not in kernels.BORDERS:
            raise OptionError(
                f"border must be one of {', '.join(kernels.BORDERS)}, got {self.border!r}"
            )
        if sum(isinstance(step, lens) for step in self.transforms) > 1:
            raise OptionError("lens: a list of transforms can hold one lens only")
        for step in self.transforms:
            if isinstance(step, scale_crop) and step.size is None:
                scale_crop(step.short_side, self.size)  # raises where the patch does not fit
        components = None
        if self.pixels is not None:
            components = color.principal_components(self.pixels.covariance)
        elif any(isinstance(step, color.pca_noise) for step in self.transforms):
            raise OptionError(
                "pca_noise needs the colors of the training pictures: give pixels=audit.pixels"
            )
        object.__setattr__(self, "_components", components)

    @classmethod
    def from_dict(cls, spec: Mapping[str, Mapping[str, Any]], size: int, **rest: Any) -> "Augment":
        """From {"flip": {"p": 0.5}, "rotate": {"degrees": [-10, 10]}, …}; `rest` as for Augment.

        Raises OptionError for an unknown name or option, or a value out of range, and names the
        choices.
        """
        return cls(tuple(transform(name, options) for name, options in spec.items()), size, **rest)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The transforms, for `from_dict`, JSON or TOML."""
        return {type(step).__name__: options_of(step) for step in self.transforms}

    @classmethod
    def default(cls, size: int, name: str = "default", **rest: Any) -> "Augment":
        """A ready-made set: "none", "light", "default", "small" or "strong" (see `SETS`).

        All but "none" flip: for digits and text, list your own transforms without "flip".
        """
        if name not in SETS:
            raise OptionError(f"augmentation {name!r} is unknown; choose one of {', '.join(SETS)}")
        return cls.from_dict(SETS[name], size, **rest)

    @property
    def side(self) -> int:
        """Of the square output."""
        return self.size

    @property
    def min_side(self) -> int:
        """Short side in pixels that pictures need, for `decode`; more would only be thrown away."""
        side = self.size
        for step in self.transforms:
            if isinstance(step, scale_crop):
                side = max(side, int(step.short_side[1] * self.size / (step.size or self.size)))
            elif isinstance(step, geometry.area_crop):
                side = max(side, int(self.size / step.area[0] ** 0.5))
            elif isinstance(step, geometry.stretch):
                side = int(side * max(1.0, step.x[1], step.y[1]))
        return side

    def sample(self, seed: int, epoch: int, index: int, picture: tuple[int, int]) -> Warp:
        """The warp of picture number `index` in an epoch; picture: (width, height).

        Depends on the arguments alone: not on the order of calls, nor on threads.
        """
        draw = draws(seed, epoch, index)
        frame = Frame(*picture, components=self._components)
        for step in self.transforms:
            if step.p >= 1 or draw.random() < step.p:
                step.compose(frame, draw, self.size)
        return finish(
            frame,
            self.size,
            self.crop,
            picture,
            mean=self.mean,
            std=self.std,
            border=self.border,
        )

    def write(self, pixels: Pixels, out: NDArray[Any], seed: int, epoch: int, index: int) -> None:
        """Draw a warp and write its view of `pixels` to `out`, as `apply` does."""
        apply(pixels, self.sample(seed, epoch, index, size_of(pixels)), out)


def draws(seed: int, epoch: int, index: int, stream: int = 0) -> np.random.Generator:
    """Random numbers that depend on the arguments alone (counter-based: Philox)."""
    key = (seed % 2**64, stream)
    return np.random.Generator(np.random.Philox(key=key, counter=(0, index, epoch, 0)))


def transform(name: str, options: Mapping[str, Any]) -> Transform:
    """One transform from its name in TRANSFORMS and its options."""
    if name not in TRANSFORMS:
        raise OptionError(f"augmentation {name!r} is unknown{_nearest(name, TRANSFORMS)}")
    if not isinstance(options, Mapping):
        raise OptionError(f"{name}: options must be a table such as {{p = 0.5}}, got {options!r}")
    known = [option.name for option in fields(TRANSFORMS[name])]
    for option in options:
        if option not in known:
            raise OptionError(f"{name}: option {option!r} is unknown{_nearest(option, known)}")
    return TRANSFORMS[name](**options)


def options_of(step: Transform) -> dict[str, Any]:
    """All options of a transform as plain numbers, lists and strings; None is left out."""
    options = {f.name: getattr(step, f.name) for f in fields(step)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value is not None
    }


def _nearest(name: str, choices: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(str(name), list(choices), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (choices: {', '.join(choices)})"


def check_output(size: int, mean: Sequence[float], std: Sequence[float]) -> None:
    """OptionError unless the output's size and normalization make sense."""
    if as_number("pictures", "size", size, 1, 16384) != int(size):
        raise OptionError(f"pictures: size must be a whole number of pixels, got {size!r}")
    for name, values, low in (("mean", mean, 0.0), ("std", std, 1e-3)):
        if len(values) != 3:
            raise OptionError(f"pictures: {name} needs 3 numbers (red, green, blue), got {values}")
        for value in values:
            as_number("pictures", name, value, low, 10.0)
