"""A caption model as one ONNX file: pictures in, words out, the search for them in the graph."""

import copy
import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from darter.errors import ExportError
from darter.files import write_atomic
from darter.model import ModelInfo, runtimes_of, write_info

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
LIMIT = 1e-2  # of a log probability that sums up those of all words
BATCH = 4


@dataclass(frozen=True)
class CaptionParity:
    """The trained model (PyTorch) against its file on the same pictures.

    different_sentences: likeliest ones whose words differ.
    """

    pictures: int
    max_log_probability_difference: float
    different_sentences: int
    passed: bool
    runtimes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def export(
    model: nn.Module, path: Path, info: ModelInfo, pictures: Iterable[Path]
) -> CaptionParity:
    """Write `path`: input "images" float32 (N, 3, S, S), normalized; output "sentences"
    (N, beams, 1 + length): log probability, then numbers of words, likeliest first.

    The file appears under its name only when it is whole and proven on the pictures.
    Raises ExportError with the figures where sentences differ.
    """
    path.unlink(missing_ok=True)
    proto = to_onnx(model, info.preprocess.sides)
    write_info(proto, info)
    parity = compare(model, proto, info, pictures)
    if not parity.passed:
        raise ExportError(
            f"{path.name} was not written: {parity.different_sentences} of {parity.pictures} "
            "sentences are not those of the trained model, log probabilities differ by up to "
            f"{parity.max_log_probability_difference:.2g} (allowed: {LIMIT:g})."
        )
    write_atomic(path, proto.SerializeToString(deterministic=True))
    return parity


def to_onnx(model: nn.Module, sides: tuple[int, int]) -> "ModelProto":
    """The model as ONNX with its weights inside and a batch of any size."""
    program = torch.onnx.export(
        copy.deepcopy(model).to("cpu").float().eval(),
        (torch.zeros(2, 3, *sides),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["sentences"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    return program.model_proto


@torch.no_grad()
def compare(
    model: nn.Module, proto: "ModelProto", info: ModelInfo, pictures: Iterable[Path]
) -> CaptionParity:
    """Run the model and its file on the same pictures, on all that runs the file here."""
    model = copy.deepcopy(model).to("cpu").float().eval()
    runtimes = runtimes_of(proto, "the exported model")
    count, different, largest = 0, 0, 0.0
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, BATCH)):
        images = info.preprocess.batch(batch)
        trained = model(torch.from_numpy(images)).numpy()[:, 0]
        if not np.isfinite(trained).all():
            raise ExportError(
                "the trained model's answers are no numbers (NaN): its training has diverged; "
                "train again with a recipe of a lower learning rate (--recipe)"
            )
        for runtime in runtimes:
            (output,) = runtime.run(images)
            written = output[:, 0]
            apart = np.abs(trained[:, 0] - written[:, 0])
            other = (trained[:, 1:] != written[:, 1:]).any(axis=1)
            # Two sentences that are equally likely to float32 may change places.
            different += int((other & (apart > LIMIT)).sum())
            largest = max(largest, float(apart.max()))
        count += len(batch)
    if not count:
        raise ExportError("the parity check needs at least one picture")
    passed = different == 0 and largest <= LIMIT
    return CaptionParity(count, largest, different, passed, tuple(r.name for r in runtimes))
