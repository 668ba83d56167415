"""`darter export --with-preprocessing`: write such a file, and prove it on pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darter.errors import ExportError, MissingExtraError
from darter.files import write_atomic
from darter.model.onnxruntime_runtime import run_once
from darter.model.pixels.graph import with_preprocessing
from darter.model.session import Session
from darter.model.tasks import get_task

LIMIT = 1e-3  # largest difference of a probability
SHAPES = ((37, 53), (480, 640), (333, 200), (8, 400))  # height, width of the pictures of the proof


@dataclass(frozen=True)
class PixelsProof:
    """The file in ONNX Runtime against darter, on the same decoded pictures."""

    pictures: int
    max_probability_difference: float


def export_with_preprocessing(
    session: Session,
    path: Path | str,
    out: Path | str,
    pictures: Iterable[NDArray[np.uint8]] | None = None,
) -> PixelsProof | None:
    """Write `out`: the model in the file `path`, taking decoded pictures, giving probabilities.

    session: of that file, with what it says of classes and preprocessing, or was told.
    pictures: uint8 (H, W, 3) to prove the file on; by default random ones of four sizes.
    Returns the proof; None where ONNX Runtime is not installed, and the file is not proven.
    Raises ExportError, and leaves what was at `out`, if a probability differs by more than LIMIT.
    """
    info = session.info
    content = with_preprocessing(path, info).SerializeToString(deterministic=True)
    pictures = list(random_pictures() if pictures is None else pictures)
    proof = None
    try:
        found = [run_once(content, {"pixels": pixels})[0] for pixels in pictures]
    except MissingExtraError:
        pass
    else:
        logits = np.concatenate([session.logits(info.preprocess.batch([p])) for p in pictures])
        ours = get_task(info.task).probabilities(logits, info.calibration.temperature)
        proof = PixelsProof(len(pictures), float(np.abs(ours - np.stack(found)).max()))
        if not proof.max_probability_difference <= LIMIT:
            raise ExportError(
                f"{out} was not written: on {proof.pictures} pictures its probabilities differ "
                f"from darter's by up to {proof.max_probability_difference:.2g} "
                f"(allowed: {LIMIT:g})"
            )
    write_atomic(Path(out), content)
    return proof


def random_pictures() -> list[NDArray[np.uint8]]:
    """Noise on slopes: every frequency and strong edges at the borders."""
    generator = np.random.default_rng(0)
    found = []
    for height, width in SHAPES:
        slope = np.linspace(0, 150, width)[None, :, None]
        noise = generator.uniform(0, 105, (height, width, 3))
        found.append((slope + noise).astype(np.uint8))
    return found
