"""Classes and preprocessing of a model that does not carry them: given by the user, or guessed."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from darter.errors import OptionError
from darter.model.info import ModelInfo, check_classes
from darter.picture import Preprocess

SIZE = 224


def guess_info(
    known: ModelInfo | None,
    outputs: int | None,
    graph_size: int | None,
    *,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> tuple[ModelInfo, list[str]]:
    """The model's own info with the user's replacements, or a guess with a note for each guess.

    outputs, graph_size: what the graph says, None where it leaves it open.
    """
    given = None if classes is None else check_classes(list(classes), "classes")
    pairs = (("mean", _triple("mean", mean)), ("std", _triple("std", std)))
    color: dict[str, Any] = {name: values for name, values in pairs if values is not None}
    if known is not None:
        sides: dict[str, Any] = {"size": size, "resize": None} if size else {}
        preprocess = replace(known.preprocess, **sides, **color)
        return replace(known, classes=given or known.classes, preprocess=preprocess), []
    notes = []
    if given is None:
        given, note = _guess_classes(outputs or 0)
        notes.append(note)
    side = size or graph_size
    if side is None:
        side = SIZE
        notes.append(f"says no input size: {SIZE} is assumed (--size)")
    if mean is None or std is None:
        notes.append(
            "says no normalization: RGB in [0, 1] with ImageNet's mean and deviation is assumed "
            "(--mean, --std)"
        )
    preprocess = Preprocess(size=side, **color)
    return ModelInfo(given, preprocess), notes


def _guess_classes(outputs: int) -> tuple[tuple[str, ...], str]:
    names = tuple(files("darter.model").joinpath("imagenet.txt").read_text().splitlines())
    if outputs == len(names):
        return names, "names no classes: 1000 outputs, so ImageNet's are assumed (--classes)"
    if outputs == len(names) + 1:
        note = "names no classes: 1001 outputs, so a background and ImageNet's are assumed"
        return ("background", *names), f"{note} (--classes)"
    plain = tuple(f"class {number}" for number in range(outputs))
    return plain, f"names no classes: {outputs} outputs are called by number (--classes)"


def _triple(option: str, values: Sequence[float] | None) -> tuple[float, ...] | None:
    if values is None:
        return None
    if len(values) not in (1, 3):
        raise OptionError(f"{option} must be 1 or 3 numbers (red, green, blue); got {len(values)}")
    if max(values) > 2:
        raise OptionError(
            f"{option} is for colors in [0, 1]; {max(values):g} looks like 0…255: divide by 255"
        )
    return tuple(values) * 3 if len(values) == 1 else tuple(values)
