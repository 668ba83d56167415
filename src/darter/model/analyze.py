"""A model file looked into: what it costs and sees, as the file alone tells it."""

from dataclasses import dataclass
from pathlib import Path

from darter.errors import OptionError
from darter.kernels import FLOAT32
from darter.model.info import ModelInfo, info_from_metadata, metadata, model_file
from darter.model.precision import Asked
from darter.model.signature import Signature, read_signature
from darter.net import Analysis, Graph, ModelFile, analyze, build, read_model, understood
from darter.picture import Preprocess

USUAL_SIZE = 224  # of pictures, for a net that takes any


def analyze_file(
    path: Path | str,
    *,
    size: int | tuple[int, int] | None = None,
    batch: int = 1,
    threads: int | None = None,
    precision: str | None = None,
    runs: int = 5,
) -> Analysis:
    """Each layer of an ONNX file: weights, multiply-adds, bytes, receptive field, time here.

    path: of the file, or of a training run's folder.   size: of the pictures; by default the
    file's own, or else 224.   precision: as for `load`.   batch: pictures that are timed together.
    runs: that are timed at least, for short nets more; with 0 no time is measured.
    Raises ModelFileError for a damaged file, OptionError for a size that the file does not take,
    UnsupportedError for what the engine cannot run.
    """
    opened = _opened(path, size)
    model, signature = opened.model, opened.signature
    return analyze(
        model,
        signature.input,
        opened.picture,
        signature.names,
        batch=batch,
        threads=threads,
        precision=Asked(precision, opened.precision).taken,
        runs=runs,
        written=signature.batch,
        channels_last=signature.layout == "NHWC",
    )


def graph_of(
    path: Path | str, *, size: int | tuple[int, int] | None = None, improved: bool = False
) -> Graph:
    """The file as a graph of darter's operations; `improved`: as the engine runs it, fused.

    Otherwise tensors have the names that they have in the file. Raises as `analyze_file` does.
    """
    opened = _opened(path, size)
    model, signature = opened.model, opened.signature
    given = (model, signature.input, opened.picture, signature.names)
    if improved:
        return build(*given, written=signature.batch)
    return understood(*given, written=signature.batch)[1]


def look_of(path: Path | str, *, size: int | tuple[int, int] | None = None) -> Preprocess:
    """How a picture is prepared for a file: as it says itself, or as for nets of ImageNet."""
    opened = _opened(path, size)
    if opened.info is not None and size is None:
        return opened.info.preprocess
    return Preprocess(size=opened.sides, resize=min(opened.sides))


@dataclass(frozen=True)
class _Opened:
    model: ModelFile
    signature: Signature
    info: ModelInfo | None
    sides: tuple[int, int]

    @property
    def precision(self) -> str:
        return FLOAT32 if self.info is None else self.info.precision

    @property
    def picture(self) -> tuple[int, int, int]:
        return self.signature.picture(*self.sides)


def _opened(path: Path | str, size: int | tuple[int, int] | None) -> _Opened:
    path = model_file(path)
    model = read_model(path)
    signature = read_signature(model)
    info = info_from_metadata(metadata(model.proto), path)
    usual = size or (info.preprocess.sides if info is not None else None)
    sides = signature.sides(usual, USUAL_SIZE)
    wanted = (size, size) if isinstance(size, int) else size
    if wanted is not None and sides != wanted:
        asked, own = ("×".join(map(str, each)) for each in (wanted, sides))
        raise OptionError(f"{path} takes pictures of {own} pixels only, not of {asked}")
    return _Opened(model, signature, info, sides)
