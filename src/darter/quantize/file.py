"""A model file quantized, and both files held side by side."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ExportError, MissingExtraError
from darter.files import check_writable, write_atomic
from darter.model import ModelInfo, Session, load, model_file, write_info
from darter.quantize.compare import difference, logits_of_files, points_lost, score
from darter.quantize.net import FloatNet, Settings, read_float_net
from darter.quantize.pictures import CALIBRATE, Pictures, gather, targets_of
from darter.quantize.search import Chosen, choose, noise
from darter.quantize.timing import milliseconds, one_picture

if TYPE_CHECKING:
    from onnx import ModelProto

Say = Callable[[str], None]
MOST_DROP = {True: 0.5, False: 2.0}  # points, of labelled pictures and of others


@dataclass(frozen=True)
class Wish:
    """drop: points that may be lost, of accuracy, or without labels of agreement; None for
    `MOST_DROP`.   method: of calibration, None for the best of all.   pictures: to calibrate by."""

    drop: float | None = None
    method: str | None = None
    bits: int = 8
    keep: frozenset[str] = frozenset()
    pictures: int = CALIBRATE
    seed: int = 0

    def most(self, labelled: bool) -> float:
        """Points that may be lost."""
        return MOST_DROP[labelled] if self.drop is None else self.drop


def quantize_file(
    session: Session,
    path: Path | str,
    source: Path | str,
    out: Path | None = None,
    *,
    wish: Wish | None = None,
    threads: int | None = None,
    say: Say = lambda sentence: None,
) -> dict[str, Any]:
    """Quantize a model file to `out` (MODEL-int8.onnx), and return the table as a record.

    session: the opened file: what its classes are and how its pictures are prepared.
    source: pictures, labelled or not; a run's folder means its own.
    Raises ModelFileError or UnsupportedError where the net cannot be quantized, DataError where the
    pictures will not do, ExportError, with nothing written, where more is lost than wished.
    """
    path, wish = model_file(path), wish or Wish()
    out = out or path.with_name(f"{path.stem}-int8.onnx")
    check_writable(out)
    net = read_float_net(path, session.info)
    net.check_names(wish.keep)
    pictures = gather(source, session.info, most=wish.pictures, seed=wish.seed)
    for note in pictures.notes:
        say(note)
    say(
        f"{len(pictures.calibrate)} pictures to calibrate, {len(pictures.held)} to compare "
        f"settings, {len(pictures.choose)} to choose layers, {len(pictures.test)} to judge"
    )
    chosen = quantize(net, session.info, pictures, wish, threads=threads, say=say)
    _check(chosen, wish, pictures)
    card = {**session.info.card, "quantized": about(chosen, path.name)}
    write_info(chosen.model, replace(session.info, card=card, precision="float32"))
    content = chosen.model.SerializeToString(deterministic=True)
    record = {
        "model": str(path),
        "out": str(out),
        "most_lost": wish.most(pictures.labelled),
        **about(chosen, path.name),
        **side_by_side(session, path, content, pictures, threads=threads),
    }
    write_atomic(out, content)
    return record


def quantize(
    net: FloatNet,
    info: ModelInfo,
    pictures: Pictures,
    wish: Wish,
    *,
    threads: int | None = None,
    say: Say = lambda sentence: None,
) -> Chosen:
    """The net in 8 bits, as little changed as measuring finds."""

    def calibrated(net: FloatNet) -> FloatNet:
        return net.calibrated(pictures.calibrate, threads=threads)

    def run(x: NDArray[np.float32]) -> Callable[["ModelProto"], NDArray[np.float32]]:
        return lambda model: logits_of_model(model, x, threads)

    base = run(pictures.choose)(net.model)

    def lost(model: "ModelProto") -> float:
        logits = run(pictures.choose)(model)
        return points_lost(logits, base, pictures.choose_targets, info)

    return choose(
        calibrated(net), calibrated, run(pictures.held), lost, wish.most(pictures.labelled),
        Settings(bits=wish.bits, keep=wish.keep), method=wish.method, say=say,
    )  # fmt: skip


def logits_of_model(
    model: "ModelProto", x: NDArray[np.float32], threads: int | None
) -> NDArray[np.float32]:
    """Logits (n, classes) of a net in memory for prepared pictures, on darter's engine."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(model.SerializeToString())
        session = load(file, runtime="darter", precision="float32", threads=threads)
        return np.concatenate([session.logits(x[k : k + 8]) for k in range(0, len(x), 8)])


def about(chosen: Chosen, name: str) -> dict[str, Any]:
    """How a net was quantized, for its card and the table."""
    settings = chosen.settings
    sensitive = {each.layer: each.noise for each in chosen.layers}
    return {
        "from": name,
        "calibration": settings.method,
        "weight_bits": settings.bits,
        "bias_correction": settings.correct,
        "equalized": settings.equalize,
        "rounding": _rounding(settings),
        "noise": chosen.noise,
        "layers": len(chosen.net.layers),
        "float_layers": sorted(settings.keep, key=lambda name: sensitive.get(name, 0.0)),
        "lost_when_chosen": chosen.lost,
        "tried": [
            {
                "calibration": each.settings.method,
                "bias_correction": each.settings.correct,
                "equalized": each.settings.equalize,
                "rounding": _rounding(each.settings),
                "noise": each.noise,
            }
            for each in chosen.tried
        ],
        "sensitivity": [asdict(each) for each in chosen.layers],
    }


def _rounding(settings: Settings) -> str:
    return "least squares" if settings.fit else "nearest"


def side_by_side(
    session: Session,
    path: Path,
    content: bytes,
    pictures: Pictures,
    *,
    threads: int | None = None,
) -> dict[str, Any]:
    """Both files on the test pictures, their sizes, and their times here."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "model.onnx"
        new.write_bytes(content)
        quantized = load(new, runtime="darter", threads=threads)
        read, base = logits_of_files(session, pictures.test)
        _, logits = logits_of_files(quantized, read)
        targets = targets_of(read, session.info) if pictures.labelled else None
        scores = [score(each, targets, session.info) for each in (base, logits)]
        found = difference(logits, base, targets, session.info)
        return {
            "measure": scores[0].measure,
            "score": [each.value for each in scores],
            "interval": [each.interval for each in scores],
            "difference": found.to_json(),
            "test_noise": noise(logits, base),
            "bytes": [path.stat().st_size, len(content)],
            "ms": times({"float32": path, "int8": new}, threads),
        }


def times(files: dict[str, Path], threads: int | None) -> dict[str, dict[str, float]]:
    """Milliseconds per picture of each file on darter's engine, and on ONNX Runtime if there."""
    found = {}
    for runtime in ("darter", "onnxruntime"):
        try:
            runs = {
                name: one_picture(load(file, runtime=runtime, precision="float32", threads=threads))
                for name, file in files.items()
            }
        except MissingExtraError:
            continue
        found[runtime] = milliseconds(runs)
    return found


def _check(chosen: Chosen, wish: Wish, pictures: Pictures) -> None:
    if chosen.met:
        return
    what = "accuracy" if pictures.labelled else "agreement"
    some = ", ".join(each.layer for each in chosen.layers[:3])
    raise ExportError(
        f"nothing was written: {chosen.lost:.1f} points of {what} are lost on "
        f"{len(pictures.choose)} pictures, even with {len(chosen.settings.keep)} of "
        f"{len(chosen.net.layers)} layers in float; {wish.most(pictures.labelled):g} may be. The "
        f"most sensitive layers are {some}. Allow more with --max-drop."
    )
