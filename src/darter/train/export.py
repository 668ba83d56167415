"""Write a trained model as ONNX, and prove that the file computes what the model computes."""

import copy
import itertools
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from darter.errors import ExportError, MissingExtraError
from darter.files import write_atomic
from darter.model import ModelInfo, Runtime, get_task, runtime_of, write_info
from darter.precision import frozen, is_binary
from darter.train.packed_signs import pack_signs
from darter.train.strange import Exported, Strangeness

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
LIMIT = 1e-3  # largest difference of a probability; float32 rounding gives about 1e-6
TIE = 1e-5  # probabilities closer than this are equal to float32
BATCH = 16


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
    pictures: held-out pictures (paths, bytes or decoded) for the parity check; at least one.
    The file appears under its name only when it is whole and proven; an older one is removed
    first. Raises ExportError with the figures where a probability differs by more than `limit`
    or a label differs.
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    whole = model if strange is None and not draws else Exported(model, strange, draws)  # type: ignore[arg-type]
    proto = to_onnx(whole, info.preprocess.side)
    write_info(proto, info)
    content = proto.SerializeToString(deterministic=True)
    parity = compare(model, content, info, pictures, limit=limit)
    if not parity.passed:
        raise ExportError(
            f"{path.name} was not written: its answers differ from the trained model's. On "
            f"{parity.pictures} pictures the largest difference of a probability is "
            f"{parity.max_probability_difference:.2g} (allowed: {limit:g}) and "
            f"{parity.different_labels} labels differ (allowed: 0)."
        )
    write_atomic(path, content)
    return parity


def to_onnx(given: nn.Module, size: int) -> "ModelProto":
    """The model as ONNX with its weights inside and a batch of any size."""
    model = frozen(given).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    program = torch.onnx.export(
        model.float().eval(),
        (torch.zeros(2, 3, size, size),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=model.outputs if isinstance(model, Exported) else ["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    _forget_traces(program.model_proto)
    return pack_signs(program.model_proto) if is_binary(given) else program.model_proto


def _forget_traces(proto: "ModelProto") -> None:
    """Take out what PyTorch notes at every node: stack traces, with paths of this computer."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


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
    model = copy.deepcopy(model).to("cpu").float().eval()
    runtimes = _runtimes(content)
    task, temperature = get_task(info.task), info.calibration.temperature
    count, largest, different = 0, 0.0, 0
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, BATCH)):
        images = info.preprocess.batch(batch)
        trained = task.probabilities(model(torch.from_numpy(images)).numpy(), temperature)
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
