"""What a model file says about itself: classes, preprocessing, calibration and a card.

It travels in the ONNX file's `metadata_props` as JSON, under keys that any tool can read:

    darter.task          "classify", one label per picture; "multilabel", any number; "detect",
                         things with their boxes; "caption", a sentence
    darter.classes       ["ants", "bees"]
    darter.preprocess    {"size": 224, "mean": [...], "std": [...], ...}
    darter.calibration   {"temperature": 1.3, "unknown_below": 0.41, "thresholds": []}
    darter.over          {"sources": ["views:10x5"], "weights": [], "calibration": {...}}, where
                         answers are averaged over several looks at each picture
    darter.fitted        [{"sources": ["flip"], "calibration": {...}}, …], of other averages that
                         may be asked for
    darter.precision     "bfloat16": what darter is to compute in on CPUs that have it; elsewhere,
                         and where it is absent, float32
    darter.card          data, strategy, metrics, seed, versions
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darter.errors import DarterError, ModelFileError, OptionError
from darter.files import refuse_url, write_atomic
from darter.kernels import FLOAT32
from darter.model.precision import check_precision
from darter.names import to_json as text_of
from darter.net import read_model, read_whole

if TYPE_CHECKING:
    from onnx import ModelProto

    from darter.picture import Preprocess

PREFIX = "darter."
TEMPERATURE_RANGE = (1e-3, 1e3)  # beyond them a probability says nothing of the logits
MOST_LETTERS = 200  # of what an error says about metadata


@dataclass(frozen=True)
class Calibration:
    """How logits become honest confidences, and when an answer is "unknown".

    unknown_above: the novelty (the file's second output) from which an answer is "unknown".
    thresholds: of several labels per picture, the probability from which each is given; without
    them, a half.
    """

    temperature: float = 1.0
    unknown_below: float = 0.0
    thresholds: tuple[float, ...] = ()
    unknown_above: float | None = None

    def __post_init__(self) -> None:
        if self.unknown_above is not None:
            _check_number("unknown_above", self.unknown_above, 0, 1e6)
        _check_number("temperature", self.temperature, *TEMPERATURE_RANGE)
        _check_number("unknown_below", self.unknown_below, 0, 1)
        if not isinstance(self.thresholds, list | tuple):
            raise OptionError(f"thresholds must be a list; got {str(self.thresholds)[:60]}")
        for threshold in self.thresholds:
            _check_number("thresholds", threshold, 0, 1)
        object.__setattr__(self, "thresholds", tuple(self.thresholds))


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise OptionError(f"{name} must be a number in [{low:g}, {high:g}]; got {value!r}")


@dataclass(frozen=True)
class Over:
    """What answers are averaged over: sources as `darter.picture.make_look` takes, or draws of the
    head's noise that the file holds.

    weights: of each look; none weighs all alike.   calibration: of the mean.
    """

    sources: tuple[str, ...]
    weights: tuple[float, ...] = ()
    calibration: Calibration = Calibration()

    def __post_init__(self) -> None:
        for name, kind in (("sources", str), ("weights", Real)):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not all(isinstance(v, kind) for v in values):
                raise OptionError(f"over: {name} must be a list; got {str(values)[:60]}")
            object.__setattr__(self, name, tuple(values))
        if isinstance(self.calibration, Mapping):
            object.__setattr__(self, "calibration", Calibration(**self.calibration))
        if not self.sources:
            raise OptionError("over: sources is empty")


@dataclass(frozen=True)
class ModelInfo:
    """What a picture must go through, and what the outputs mean.

    over: what answers are averaged over, None where each is of a single look.
    fitted: other averages whose calibration is known, for whoever asks for them.
    precision: that it is to run in where the CPU can, one of `PRECISIONS`; weights are float32.
    """

    classes: tuple[str, ...]
    preprocess: "Preprocess"
    calibration: Calibration = Calibration()
    card: dict[str, Any] = field(default_factory=dict)
    task: str = "classify"
    over: Over | None = None
    fitted: tuple[Over, ...] = ()
    precision: str = "float32"


def model_file(path: Path | str) -> Path:
    """The model of a run folder, or the file itself. Raises ModelFileError for other folders."""
    refuse_url(path)
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / "model.onnx").is_file():
        raise ModelFileError(
            f"{path} is a folder without a model.onnx. Name a model file, or the folder of a "
            "training run that has written one."
        )
    return path / "model.onnx"


def read_info(path: Path | str) -> ModelInfo:
    """The `darter.*` metadata of a model file. ModelFileError where absent or damaged."""
    path = model_file(path)
    info = info_from_metadata(metadata(read_model(path).proto), path)
    if info is None:
        raise ModelFileError(
            f"{path}: has no darter.* metadata (classes, preprocessing); it was not written by "
            "darter. `darter.load` runs it all the same, given or guessing these."
        )
    return info


def task_of_file(path: Path | str) -> str | None:
    """What a model file was trained for, as far as it says so. Raises ModelFileError as reading
    does."""
    text = metadata(read_model(model_file(path)).proto).get(f"{PREFIX}task")
    try:
        task = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return task if isinstance(task, str) else None


def write_info(model: "ModelProto | Path | str", info: ModelInfo) -> None:
    """Put `info` into a model in memory, or into a model file, which is replaced as a whole."""
    if isinstance(model, (str, Path)):
        proto = read_whole(model)
        write_info(proto, info)
        write_atomic(Path(model), proto.SerializeToString(deterministic=True))
        return
    kept = [(p.key, p.value) for p in model.metadata_props if not p.key.startswith(PREFIX)]
    ours = [(key, text_of(value)) for key, value in to_json(info).items()]
    del model.metadata_props[:]
    for key, value in (*kept, *ours):
        model.metadata_props.add(key=key, value=value)


def to_json(info: ModelInfo) -> dict[str, Any]:
    """The metadata entries before they become text."""
    entries: dict[str, Any] = {
        "darter.task": info.task,
        "darter.classes": list(info.classes),
        "darter.preprocess": info.preprocess.to_dict(),
        "darter.calibration": asdict(info.calibration),
        "darter.card": info.card,
    }
    if info.over is not None:
        entries["darter.over"] = asdict(info.over)
    if info.fitted:
        entries["darter.fitted"] = [asdict(over) for over in info.fitted]
    if info.precision != FLOAT32:
        entries["darter.precision"] = info.precision
    return entries


def metadata(proto: "ModelProto") -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


def info_from_metadata(entries: Mapping[str, str], path: Path | str) -> ModelInfo | None:
    """ModelInfo from metadata text; None where a model has no darter.* entry at all."""
    if not any(key.startswith(PREFIX) for key in entries):
        return None
    from darter.model.average import shares
    from darter.model.tasks import check_task
    from darter.picture import Preprocess, make_look

    def entry(name: str, kind: type, default: Any = None) -> Any:
        text = entries.get(PREFIX + name)
        if text is None and default is not None:
            return default
        if text is None:
            raise ModelFileError(f"{path}: metadata darter.{name} is missing")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path}: metadata darter.{name} is no JSON: {error}") from error
        if not isinstance(value, kind):
            raise ModelFileError(
                f"{path}: metadata darter.{name} must be a {kind.__name__}; got {text[:60]!r}"
            )
        return value

    classes = check_classes(entry("classes", list), f"{path}: metadata darter.classes")
    card, task = entry("card", dict, {}), entry("task", str, "classify")
    try:
        calibration = Calibration(**entry("calibration", dict, {}))
        preprocess = Preprocess.from_dict(entry("preprocess", dict))
        over = Over(**entry("over", dict)) if PREFIX + "over" in entries else None
        if over is not None:
            looks = make_look(over.sources, preprocess, augment=card.get("augment"))
            shares(len(looks), over.weights)
        fitted = tuple(Over(**each) for each in entry("fitted", list, []))
        check_task(task)
        precision = check_precision(entry("precision", str, FLOAT32), path)
    except ModelFileError:
        raise
    except (DarterError, ArithmeticError, TypeError, ValueError, KeyError) as error:
        reason = str(error)[:MOST_LETTERS]
        raise ModelFileError(f"{path}: metadata darter.* is damaged: {reason}") from error
    if calibration.thresholds and len(calibration.thresholds) != len(classes):
        raise ModelFileError(
            f"{path}: metadata darter.calibration has {len(calibration.thresholds)} thresholds for "
            f"{len(classes)} classes"
        )
    return ModelInfo(classes, preprocess, calibration, card, task, over, fitted, precision)


def check_classes(names: list, where: str) -> tuple[str, ...]:
    """The names as a tuple. ModelFileError unless they are texts, not empty and all different."""
    if not names or not all(isinstance(name, str) and _is_text(name) for name in names):
        raise ModelFileError(f"{where}: must be a list of names; got {str(names)[:60]}")
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        named = ", ".join(doubled)[:MOST_LETTERS]
        raise ModelFileError(f"{where}: names must differ; more than once: {named}")
    return tuple(names)


def _is_text(name: str) -> bool:
    """Not empty, and fit to be written as UTF-8 (JSON can carry half of a surrogate pair)."""
    return bool(name) and not any("\ud800" <= letter <= "\udfff" for letter in name)
