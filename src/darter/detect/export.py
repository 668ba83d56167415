"""A trained detector as one ONNX file: boxes decoded and doubles removed within the graph."""

import copy
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from darter.detect.detector_net import DetectorNet
from darter.detect.operations import translations
from darter.errors import ExportError
from darter.files import write_atomic
from darter.model import OVERLAP, ModelInfo, Runtime, runtimes_of, suppress, write_info
from darter.picture import Picture
from darter.train import move

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

OPSET = 18
FLOAT = 1  # ONNX's number of the type
MOST = 100  # boxes that the file gives of a picture
PIXELS, SCORE = 0.5, 1e-4  # largest differences from the trained model
SURE = 0.05  # boxes that the proof looks at: below, single bits decide what is among the MOST
BATCH = 8


@dataclass(frozen=True)
class DetectorParity:
    """The trained model (PyTorch) against its file on the same pictures.

    boxes: how many of at least SURE were compared.   missing: boxes that one of them lacks.
    """

    pictures: int
    boxes: int
    max_pixel_difference: float
    max_score_difference: float
    missing: int
    passed: bool
    runtimes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def export(
    model: DetectorNet,
    path: Path,
    info: ModelInfo,
    pictures: Iterable[Path | Picture],
    *,
    overlaps: float | Sequence[float] = OVERLAP,
) -> DetectorParity:
    """Write `path`: input "images" float32 (N, 3, H, W), normalized; output "detections"
    (N, MOST, 6): x0, y0, x1, y1 in pixels of the input, score, class, surest first, then zeros.

    overlaps: of two boxes of a class from which only the surer one stays, of all or of each class.
    The file appears under its name only when it is whole and proven on the pictures.
    Raises ExportError with the figures where boxes differ.
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    proto = to_onnx(model, overlaps)
    write_info(proto, info)
    parity = compare(model, proto, info, pictures, overlaps)
    if not parity.passed:
        raise ExportError(
            f"{path.name} was not written: it finds other boxes than the trained model. On "
            f"{parity.pictures} pictures {parity.missing} of {parity.boxes} boxes have no like, "
            f"the others differ by up to {parity.max_pixel_difference:.2g} pixels (allowed: "
            f"{PIXELS:g}) and {parity.max_score_difference:.2g} in their score ({SCORE:g})."
        )
    write_atomic(path, proto.SerializeToString(deterministic=True))
    return parity


def to_onnx(model: DetectorNet, overlaps: float | Sequence[float] = OVERLAP) -> "ModelProto":
    """The model as ONNX with its weights inside and a batch of any size."""
    model = copy.deepcopy(model)
    move(model, torch.device("cpu"), channels_last=False)
    height, width = model.sides
    program = torch.onnx.export(
        model.float().eval(),
        (torch.zeros(2, 3, height, width),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["candidates"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
        custom_translation_table=translations(),
    )
    assert program is not None
    proto = program.model_proto
    append_suppression(proto, reach=2.0 * max(height, width), overlaps=overlaps)
    return proto


def append_suppression(
    proto: "ModelProto", *, reach: float, overlaps: float | Sequence[float] = OVERLAP
) -> None:
    """From "candidates" (N, K, 6), best first, to "detections" (N, MOST, 6), without doubles.

    Boxes of each class are shifted beyond the others' reach, so that ONNX's NonMaxSuppression sees
    them apart. Its list of unknown length becomes a mask of known size; a TopK brings what stays to
    the front.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    values = {
        "det.last": np.array([2], np.int64),
        "det.middle": np.array([1], np.int64),
        "det.reach": np.float32(reach),
        "det.most": np.array([MOST], np.int64),
        "det.all": np.array([1 << 30], np.int64),
        "det.least": np.array([0.0], np.float32),
        "det.ones": np.array([1.0], np.float32),
        "det.six_wide": np.array([1, 1, 6], np.int64),
        **{f"det.at{k}": np.array([k], np.int64) for k in (0, 1, 2, 6)},
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), n) for n, v in values.items())

    def part(name: str, start: str, end: str) -> Any:
        return helper.make_node("Slice", ["candidates", start, end, "det.last"], [name])

    node = helper.make_node
    graph.node.extend([
        part("det.scores", "det.at0", "det.at1"),  # (N, K, 1)
        part("det.classes", "det.at1", "det.at2"),
        part("det.boxes", "det.at2", "det.at6"),
        node("Mul", ["det.classes", "det.reach"], ["det.shift"]),
        node("Add", ["det.boxes", "det.shift"], ["det.apart"]),
        node("Transpose", ["det.scores"], ["det.scores_row"], perm=[0, 2, 1]),  # (N, 1, K)
    ])  # fmt: skip
    left = _append_masks(graph, overlaps)
    graph.node.extend([
        node("Squeeze", [left, "det.middle"], ["det.left_row"]),  # (N, K)
        node("TopK", ["det.left_row", "det.most"], ["det.best", "det.places"], axis=1),
        node("Unsqueeze", ["det.places", "det.last"], ["det.place"]),
        node("Unsqueeze", ["det.best", "det.last"], ["det.score"]),  # (N, MOST, 1)
        node("Expand", ["det.place", "det.six_wide"], ["det.places_wide"]),
        node("GatherElements", ["candidates", "det.places_wide"], ["det.chosen"], axis=1),
        node("Slice", ["det.chosen", "det.at2", "det.at6", "det.last"], ["det.out_boxes"]),
        node("Slice", ["det.chosen", "det.at1", "det.at2", "det.last"], ["det.out_classes"]),
        node("Concat", ["det.out_boxes", "det.score", "det.out_classes"], ["detections"], axis=2),
    ])  # fmt: skip
    del graph.output[:]
    shape: list[str | int | None] = ["batch", MOST, 6]
    graph.output.append(helper.make_tensor_value_info("detections", TensorProto.FLOAT, shape))


def _append_masks(graph: "GraphProto", overlaps: float | Sequence[float]) -> str:
    """The scores (N, 1, K) of the boxes that stay, 0 of the others.

    NonMaxSuppression knows one overlap for all classes: it runs once for each overlap that is
    used, on the scores of its classes.
    """
    from onnx import helper, numpy_helper

    node = helper.make_node
    each = np.atleast_1d(np.asarray(overlaps, np.float32))
    limits = sorted(set(each.tolist()))
    left = []
    for number, limit in enumerate(limits):
        at = f"det.{number}"
        scores = "det.scores_row"
        constants = {f"{at}.overlap": np.array([limit], np.float32)}
        if len(limits) > 1:
            scores = f"{at}.scores"
            constants[f"{at}.classes"] = np.flatnonzero(each == limit).astype(np.float32)[
                None, None
            ]
            graph.node.extend([
                node("Equal", ["det.classes", f"{at}.classes"], [f"{at}.is"]),  # (N, K, classes)
                node("Cast", [f"{at}.is"], [f"{at}.is_one"], to=FLOAT),
                node("ReduceMax", [f"{at}.is_one", "det.last"], [f"{at}.its"], keepdims=1),
                node("Mul", ["det.scores", f"{at}.its"], [f"{at}.its_scores"]),
                node("Transpose", [f"{at}.its_scores"], [scores], perm=[0, 2, 1]),
            ])  # fmt: skip
        graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in constants.items())
        graph.node.extend([
            node("NonMaxSuppression", ["det.apart", scores, "det.all", f"{at}.overlap",
                                       "det.least"], [f"{at}.kept"]),
            node("Mul", [scores, "det.least"], [f"{at}.none"]),
            node("Shape", [f"{at}.kept"], [f"{at}.kept_shape"], start=0, end=1),
            node("Expand", ["det.ones", f"{at}.kept_shape"], [f"{at}.kept_ones"]),
            node("ScatterND", [f"{at}.none", f"{at}.kept", f"{at}.kept_ones"], [f"{at}.mask"]),
            node("Mul", [scores, f"{at}.mask"], [f"{at}.left"]),
        ])  # fmt: skip
        left.append(f"{at}.left")
    if len(left) == 1:
        return left[0]
    graph.node.append(node("Sum", left, ["det.left"]))
    return "det.left"


@torch.no_grad()
def compare(
    model: DetectorNet,
    proto: "ModelProto",
    info: ModelInfo,
    pictures: Iterable[Path | Picture],
    overlaps: float | Sequence[float] = OVERLAP,
) -> DetectorParity:
    """Run the model and its file on the same pictures, on all that runs the file here.

    Raises ExportError where there are no pictures, or answers that are no numbers.
    """
    model = copy.deepcopy(model).to("cpu").float().eval()
    runtimes: list[Runtime] = runtimes_of(proto, "the exported detector")
    count, boxes, missing, pixels, scores = 0, 0, 0, 0.0, 0.0
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, BATCH)):
        images = info.preprocess.batch(batch)
        trained = [_kept(rows, overlaps) for rows in model(torch.from_numpy(images)).numpy()]
        if not all(np.isfinite(rows).all() for rows in trained):
            raise ExportError(
                "the trained model's boxes are no numbers (NaN): its training has diverged; train "
                "again with a recipe of a lower learning rate (--recipe)"
            )
        for runtime in runtimes:
            (written,) = runtime.run(images)
            for ours, theirs in zip(trained, written, strict=True):
                found = _difference(ours, theirs)
                boxes, missing = boxes + found[0], missing + found[1]
                pixels, scores = max(pixels, found[2]), max(scores, found[3])
        count += len(batch)
    if not count:
        raise ExportError("the parity check needs at least one picture")
    passed = missing == 0 and pixels <= PIXELS and scores <= SCORE
    names = tuple(runtime.name for runtime in runtimes)
    return DetectorParity(count, boxes, pixels, scores, missing, passed, names)


def _kept(
    candidates: NDArray[np.float32], overlaps: float | Sequence[float]
) -> NDArray[np.float32]:
    """What the file should give of a picture's candidates: (D, 6), corners, score, class."""
    boxes, scores, labels = candidates[:, 2:], candidates[:, 0], candidates[:, 1]
    kept = suppress(boxes, scores, labels, overlap=overlaps, most=MOST)
    return candidates[kept][:, [2, 3, 4, 5, 0, 1]]


def _difference(ours: NDArray, theirs: NDArray) -> tuple[int, int, float, float]:
    """(boxes, boxes without their like, largest difference in pixels, and of a score)."""
    ours, theirs = (rows[rows[:, 4] >= SURE] for rows in (ours, theirs))
    missing, pixels, scores = abs(len(ours) - len(theirs)), 0.0, 0.0
    free = np.ones(len(theirs), bool)
    for row in ours:
        far = np.abs(theirs[:, :4] - row[:4]).max(axis=1, initial=0)
        far = np.where(free & (theirs[:, 5] == row[5]), far, np.inf)
        if not len(far) or far.min() > PIXELS:
            missing += 1
            continue
        like = int(far.argmin())
        free[like] = False
        pixels = max(pixels, float(far[like]))
        scores = max(scores, float(abs(theirs[like, 4] - row[4])))
    return len(ours), missing, pixels, scores
