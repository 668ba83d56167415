"""Write a trained model as ONNX, and prove that the file computes what the model computes."""

import copy
import itertools
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from darter.errors import ExportError, MissingExtraError
from darter.files import write_atomic
from darter.model import ModelInfo, Runtime, get_task, runtime_of, write_info
from darter.noise import Ensemble
from darter.train.device import move, place
from darter.train.exported import Exported, Strangeness
from darter.train.written import LOGITS, to_onnx
from darter.transfer import Classifier

LIMIT = 1e-3  # largest difference of a probability; float32 rounding gives about 1e-6
TIE = 1e-5  # probabilities closer than this are equal to float32
BATCH = 16
Item = TypeVar("Item")
MOST_COMPARED = 256  # pictures: PyTorch takes far longer for each than what runs the file


@dataclass(frozen=True)
class Parity:
    """The trained model (PyTorch) against its file on the same pictures.

    max_probability_difference: of any runtime.   different_labels: pictures with another answer,
    but for ties.   runtimes: what ran the file: first what `predict` runs it on.
    """

    pictures: int
    max_probability_difference: float
    different_labels: int
    limit: float
    passed: bool
    runtimes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def export(
    model: nn.Module,
    path: Path,
    info: ModelInfo,
    pictures: Iterable[Any],
    *,
    limit: float = LIMIT,
    strange: Strangeness | None = None,
    draws: int = 0,
) -> Parity:
    """Write `path`: input "images" float32 (N, 3, S, S), normalized; output "logits" (N, classes).

    strange: from `measure_strangeness`; with it the file has a second output, "novelty" (N, 1):
    how foreign a picture is, by the measure that was chosen.
    draws: so many answers of one model with its head's noise on are another output, "draws".
    pictures: held-out pictures (paths, bytes or decoded) for the parity check; at least one. Of
        more than MOST_COMPARED, so many are compared, spread evenly over them all.
    The file appears under its name only when it is whole and proven; an older one is removed
    first. Raises ExportError with the figures where a probability differs by more than `limit`
    or a label differs.
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    whole = model
    if strange is not None or draws:
        assert isinstance(model, Classifier | Ensemble)
        whole = Exported(model, strange, draws)
    outputs = whole.outputs if isinstance(whole, Exported) else (LOGITS,)
    proto = to_onnx(whole, info.preprocess.side, outputs)
    write_info(proto, info)
    content = proto.SerializeToString(deterministic=True)
    parity = compare(model, content, info, spread_out(list(pictures)), limit=limit)
    if not parity.passed:
        raise ExportError(
            f"{path.name} was not written: its answers differ from the trained model's. On "
            f"{parity.pictures} pictures the largest difference of a probability is "
            f"{parity.max_probability_difference:.2g} (allowed: {limit:g}) and "
            f"{parity.different_labels} labels differ (allowed: 0)."
        )
    write_atomic(path, content)
    return parity


def spread_out(pictures: Sequence[Item], most: int = MOST_COMPARED) -> list[Item]:
    """All of them, or so many at equal distances: lists are often in the order of their classes."""
    places = np.linspace(0, len(pictures) - 1, min(most, len(pictures))).round().astype(int)
    return [pictures[k] for k in places]


@torch.no_grad()
def compare(
    model: nn.Module,
    content: bytes,
    info: ModelInfo,
    pictures: Iterable[Any],
    *,
    limit: float = LIMIT,
) -> Parity:
    """Run the model and its file's `content` on the same pictures, both in float32 on the CPU.

    The file runs on what `predict` takes for it, and on ONNX Runtime where that is installed.
    Raises ExportError where there are no pictures, or answers that are no numbers.
    """
    model = copy.deepcopy(model).float().eval()
    move(model, torch.device("cpu"), channels_last=True)  # half of the time
    runtimes = _runtimes(content)
    task, temperature = get_task(info.task), info.calibration.temperature
    count, largest, different = 0, 0.0, 0
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, BATCH)):
        images = info.preprocess.batch(batch)
        x = place(images, torch.device("cpu"), channels_last=True)
        trained = task.probabilities(model(x).numpy(), temperature)
        other = np.zeros(len(batch), bool)
        for runtime in runtimes:
            logits, *_ = runtime.run(images)
            written = task.probabilities(logits, temperature)
            difference = float(np.abs(trained - written).max())
            if not np.isfinite(difference):
                raise ExportError(
                    "the trained model's answers are no numbers (NaN): its training has diverged; "
                    "train again with a recipe of a lower learning rate (--recipe)"
                )
            largest = max(largest, difference)
            other |= task.differ(trained, written, info.calibration, TIE)
        count += len(batch)
        different += int(other.sum())
    if not count:
        raise ExportError("the parity check needs at least one picture")
    passed = largest <= limit and different == 0
    names = tuple(runtime.name for runtime in runtimes)
    return Parity(count, largest, different, limit, passed, names)


def _runtimes(content: bytes) -> list[Runtime]:
    from onnx import ModelProto

    proto = ModelProto.FromString(content)
    found = [runtime_of(proto, "the exported model")]
    if found[0].name != "onnxruntime":
        with suppress(MissingExtraError):
            found.append(runtime_of(proto, "the exported model", runtime="onnxruntime"))
    return found
