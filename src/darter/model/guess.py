"""Classes and preprocessing of a model that does not carry them: given by the user, or guessed."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from darter.errors import OptionError
from darter.model.info import ModelInfo, check_classes
from darter.model.signature import Signature
from darter.picture import Preprocess

SIZE = 224


def guess_info(
    known: ModelInfo | None,
    outputs: int | None,
    signature: Signature,
    task: str,
    *,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> tuple[ModelInfo, list[str]]:
    """The model's own info with the user's replacements, or a guess with a note for each guess.

    outputs: how many the graph gives, None where it leaves that open.   task: as it ends.
    """
    channels = signature.channels
    given = None if classes is None else check_classes(list(classes), "classes")
    pairs = (
        ("mean", _per_channel("mean", mean, channels)),
        ("std", _per_channel("std", std, channels)),
    )
    color: dict[str, Any] = {name: values for name, values in pairs if values is not None}
    if known is not None:
        sides: dict[str, Any] = {"size": size, "resize": None} if size else {}
        preprocess = replace(known.preprocess, **sides, **color)
        return replace(known, classes=given or known.classes, preprocess=preprocess), []
    notes = []
    if given is None:
        given, note = _guess_classes(outputs or 0)
        notes.append(note)
    if size is None and signature.size == (None, None):
        notes.append(f"says no input size: {SIZE} is assumed (--size)")
    if mean is None or std is None:
        assumed = "RGB in [0, 1] with ImageNet's mean and deviation"
        if channels == 1:
            assumed = "grey in [0, 1], as it is,"
        notes.append(f"says no normalization: {assumed} is assumed (--mean, --std)")
    preprocess = Preprocess(size=size or signature.sides(None, SIZE), channels=channels, **color)
    return ModelInfo(given, preprocess, task=task), notes


def _guess_classes(outputs: int) -> tuple[tuple[str, ...], str]:
    names = tuple(files("darter.model").joinpath("imagenet.txt").read_text().splitlines())
    if outputs == len(names):
        return names, "names no classes: 1000 outputs, so ImageNet's are assumed (--classes)"
    if outputs == len(names) + 1:
        note = "names no classes: 1001 outputs, so a background and ImageNet's are assumed"
        return ("background", *names), f"{note} (--classes)"
    plain = tuple(f"class {number}" for number in range(outputs))
    return plain, f"names no classes: {outputs} outputs are called by number (--classes)"


def _per_channel(
    option: str, values: Sequence[float] | None, channels: int
) -> tuple[float, ...] | None:
    if values is None:
        return None
    if len(values) not in (1, channels):
        needed = "1 number" if channels == 1 else "1 or 3 numbers (red, green, blue)"
        raise OptionError(f"{option} must be {needed}; got {len(values)}")
    if max(values) > 2:
        raise OptionError(
            f"{option} is for colors in [0, 1]; {max(values):g} looks like 0…255: divide by 255"
        )
    return tuple(values) * channels if len(values) == 1 else tuple(values)
