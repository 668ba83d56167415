"""Pictures to quantize by: some to calibrate, some to choose, some to judge."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Sample, is_run, list_samples, run_parts
from darter.errors import DarterError, DataError, OptionError
from darter.model import ModelInfo, get_task
from darter.names import one_form
from darter.picture import EXTENSIONS, Preprocess

CALIBRATE, HELD, CHOOSE = 128, 48, 400  # pictures at most
FEWEST = 12  # of all pictures together
MOST_BYTES = 1e9  # of prepared pictures


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures are float32 (N, C, H, W).

    calibrate: that ranges come from.   held: that settings are compared on.   choose: that say
    which layers stay in float, with what is true of them where that is known.   test: files that
    both nets are judged on in the end, labelled or not.   notes: what a person should know of them.
    """

    calibrate: NDArray[np.float32]
    held: NDArray[np.float32]
    choose: NDArray[np.float32]
    choose_targets: Any | None
    test: tuple[Sample, ...]
    labelled: bool
    notes: tuple[str, ...]


def gather(
    source: Path | str, info: ModelInfo, *, most: int = CALIBRATE, seed: int = 0
) -> Pictures:
    """Pictures of a folder (labelled or not), a list, or a run's own.

    Of labelled ones, training pictures calibrate, validation pictures choose and test pictures
    judge, as far as the folder has such parts; what has none is divided by the seed, so that no
    picture that judges has a part in anything else.
    Raises DataError where there are too few, or none that can be read.
    """
    parts, notes = _parts(source, info)
    labelled = all(sample.labels for part in parts.values() for sample in part)
    random = np.random.default_rng(seed)
    train, val, test = (_shuffled(parts[name], random) for name in ("train", "val", "test"))
    if sum(map(bool, (train, val, test))) < 2 or not train:
        # a quarter of what there is calibrates, no more than half has a part in choices
        rest = _shuffled([*train, *val, *test], random)
        train, rest = _cut(rest, min(most + HELD, len(rest) // 4))
        val, test = _cut(rest, min(CHOOSE, len(rest) // 3))
    elif not val:
        val, train = _cut(train, min(CHOOSE, len(train) // 3))
    elif not test:
        val, test = _cut(val, min(CHOOSE, len(val) // 2))
    return prepared(train, val, test, info, most=most, labelled=labelled, notes=notes, name=source)


def calibrating(
    source: Path | str, info: ModelInfo, without: Collection[Sample], *, seed: int = 0
) -> Pictures:
    """Pictures that only calibrate and choose, none of which judges: those of a training folder.

    without: pictures that judge; their copies, byte by byte, are left out.
    """
    parts, notes = _parts(source, info)
    judges = {_digest(sample.path) for sample in without}
    kept = {
        name: [s for s in part if _digest(s.path) not in judges] for name, part in parts.items()
    }
    left_out = sum(len(parts[name]) - len(kept[name]) for name in parts)
    if left_out:
        notes = [*notes, f"{left_out} pictures of {source} are among those that judge: left out"]
    random = np.random.default_rng(seed)
    train = _shuffled(kept["train"] or [*kept["val"], *kept["test"]], random)
    val = _shuffled(kept["val"] if kept["train"] else [], random)
    if not val:
        val, train = _cut(train, min(CHOOSE, len(train) // 3))
    labelled = all(sample.labels for sample in (*train, *val))
    return prepared(train, val, (), info, labelled=labelled, notes=notes, name=source)


def judging(source: Path | str, info: ModelInfo) -> tuple[tuple[Sample, ...], list[str]]:
    """Pictures that judge: the test part of a folder, or its validation part, or all of it."""
    parts, notes = _parts(source, info)
    name = next((n for n in ("test", "val", "train") if parts[n]), None)
    if name is None:
        raise DataError(f"{source} holds no pictures to judge by")
    if name == "train" and parts[name][0].split is not None:
        notes = [*notes, f"{source} has neither a test nor a val part: its train part judges"]
    return tuple(parts[name]), notes


def prepared(
    train: Sequence[Sample],
    val: Sequence[Sample],
    test: Sequence[Sample],
    info: ModelInfo,
    *,
    most: int = CALIBRATE,
    labelled: bool = True,
    notes: Sequence[str] = (),
    name: object = "training pictures",
) -> Pictures:
    """Pictures whose parts are known: train calibrates, val chooses, test judges.

    name: what an error calls them. Raises DataError where there are too few to calibrate and to
    choose by.
    """
    look = info.preprocess
    room = max(FEWEST, int(MOST_BYTES / (4 * np.prod(look.shape))))
    count = min(most, room // 2, max(1, len(train) * 3 // 4))
    (_, calibrate), rest = _readable(train[:count], look), train[count:]
    _, held = _readable((rest or val)[:HELD], look)
    choosing = [*val, *rest[HELD:]][: min(CHOOSE, room // 2)]
    choosing, choose = _readable(choosing, look)
    if len(calibrate) < FEWEST // 2 or not len(held) or not len(choose):
        raise DataError(
            f"{name}: {len(train) + len(val) + len(test)} pictures are too few to calibrate and to "
            f"judge by; {FEWEST} are the fewest, a hundred or more are good"
        )
    targets = targets_of(choosing, info) if labelled else None
    return Pictures(calibrate, held, choose, targets, tuple(test), labelled, tuple(notes))


def _parts(source: Path | str, info: ModelInfo) -> tuple[dict[str, list[Sample]], list[str]]:
    if is_run(source):
        return run_parts(source), []
    listing = _listed(source)
    known = {one_form(name) for name in info.classes}
    strange = sorted({n for s in listing for n in s.labels if one_form(n) not in known})
    if listing and all(s.labels for s in listing) and not strange:
        return {n: [s for s in listing if _split(s) == n] for n in ("train", "val", "test")}, []
    files = [Sample(path, ()) for path in _files(source, listing)]
    note = "the pictures have no labels: what is measured is how often both nets agree"
    if strange:
        note = (
            f"the model does not know the class {strange[0][:40]!r} of these pictures: they count "
            "as unlabelled, and what is measured is how often both nets agree"
        )
    return {"train": [], "val": [], "test": files}, [note]


def _listed(source: Path | str) -> list[Sample]:
    """What is labelled, if anything is."""
    path = Path(source)
    if not path.exists():
        raise DataError(f"{source}: no such folder or list of pictures")
    if path.suffix.lower() == ".onnx":
        raise OptionError(f"{source} looks like a model; the model comes first, then the pictures")
    try:
        return [*list_samples(source).samples]
    except DarterError:
        if path.is_dir():
            return []
        raise


def _split(sample: Sample) -> str:
    return sample.split or "train"


def _files(source: Path | str, listing: list[Sample]) -> list[Path]:
    """Every picture file of a folder, by the endings of their names."""
    if not Path(source).is_dir():
        return [Path(sample.path) for sample in listing]
    suffixes = frozenset().union(*EXTENSIONS.values())
    found = (path for path in Path(source).rglob("*") if path.suffix.lower() in suffixes)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _digest(path: Path | str) -> bytes:
    """Of a file's bytes; of its name where it cannot be read."""
    try:
        return blake2b(Path(path).read_bytes()).digest()
    except OSError:
        return str(path).encode()


def _shuffled(part: list[Sample], random: np.random.Generator) -> list[Sample]:
    return [part[int(k)] for k in random.permutation(len(part))]


def _cut(part: list[Sample], count: int) -> tuple[list[Sample], list[Sample]]:
    """The first `count`, and the rest."""
    return part[:count], part[count:]


def _readable(
    samples: Sequence[Sample], look: Preprocess
) -> tuple[list[Sample], NDArray[np.float32]]:
    """Those that can be read, and prepared as the model wants them."""
    read, ready = [], []
    for sample in samples:
        try:
            ready.append(look(sample.path))
            read.append(sample)
        except DataError:
            continue
    return read, np.stack(ready) if ready else np.empty((0, *look.shape), np.float32)


def targets_of(samples: Sequence[Sample], info: ModelInfo) -> Any:
    """What is true of labelled pictures, as the model's task has it."""
    own = {one_form(name): name for name in info.classes}
    labels = [[own[one_form(name)] for name in sample.labels] for sample in samples]
    return get_task(info.task).targets(labels, info.classes)
