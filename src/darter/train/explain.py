"""Where a classifier looked: thumbnails and Grad-CAM heat maps for the report.

record = explain(model, last_block(backbone), preprocess, samples, predictions, RUN, classes=names)
write_json(RUN / "explain.json", record)

Grad-CAM: each channel of the last feature map counts by the mean gradient of the predicted class's
logit; their sum, where it is positive, is what spoke for the class. Source: Selvaraju et al.,
arXiv:1610.02391.
"""

import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.errors import DataError, UnsupportedError
from darter.files import write_atomic

THUMBNAIL = 360  # pixels of the long side
QUALITY = 82  # of the JPEGs
PALETTE = "inferno"  # perceptually uniform; the report's legend shows the same
Record = dict[str, Any]


class View(Protocol):
    """What is asked of a `darter.picture.Preprocess`."""

    @property
    def min_side(self) -> int: ...

    @property
    def value_range(self) -> tuple[float, float] | None: ...
    def warp(self, picture: tuple[int, int]) -> Any: ...
    def __call__(self, source: Any) -> NDArray[np.float32]: ...


def explain(
    model: nn.Module,
    block: nn.Module | None,
    preprocess: View,
    samples: Sequence[Any],
    predictions: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    classes: Sequence[str],
    mistakes: int = 24,
    correct: int = 8,
    prefix: str = "",
    batch_size: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Draw the worst mistakes and a few right answers into OUT/pictures; the record names them.

    model: float32 (N, 3, size, size) -> logits (N, classes).   block: its last feature map, see
        `last_block`; None draws no heat maps.
    samples, predictions: one each per picture, in one order. A sample has a `path`; a prediction
        "path" (as the report names it), "label", "predicted" and "confidence", or, of several
        labels per picture, lists under "labels" and "predicted".
    prefix: of the pictures' file names, where OUT gets those of several parts.
    Returns {"mistakes": [...], "samples": [...]}, each a prediction with "picture" and "heatmap",
    relative to OUT, the most confident mistakes first. A picture that has become unreadable has
    an "error" instead.
    """
    if len(samples) != len(predictions):
        raise ValueError(f"explain: {len(samples)} samples but {len(predictions)} predictions")
    chosen = {
        "mistakes": worst_mistakes(predictions)[:mistakes],
        "samples": right_answers(predictions)[:correct],
    }
    todo = [(kind, rank, at) for kind, ranked in chosen.items() for rank, at in enumerate(ranked)]
    record: Record = {kind: [] for kind in chosen}
    for start in range(0, len(todo), batch_size):
        batch = todo[start : start + batch_size]
        pictures = [_decode(samples[at].path, preprocess) for _, _, at in batch]
        usable = [k for k, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
        maps: dict[int, NDArray[np.float32]] = {}
        if block is not None and usable:
            views = torch.from_numpy(np.stack([preprocess(pictures[k]) for k in usable]))
            asked = [classes.index(_shown_class(predictions[batch[k][2]])) for k in usable]
            maps = dict(zip(usable, grad_cam(model, block, views, asked), strict=True))
        for k, (kind, rank, at) in enumerate(batch):
            entry = dict(predictions[at])
            if isinstance(pictures[k], np.ndarray):
                name = f"pictures/{prefix}{kind}-{rank:03}"
                entry |= _save(out, name, pictures[k], preprocess, maps.get(k))
            else:
                entry |= {"picture": None, "heatmap": None, "error": str(pictures[k])}
            record[kind].append(entry)
        if progress:
            progress(start + len(batch), len(todo))
    return record


def worst_mistakes(predictions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the wrong predictions, the most confident first."""
    wrong = [k for k, p in enumerate(predictions) if not _is_right(p)]
    return sorted(
        wrong, key=lambda k: (predictions[k].get("rightness", 0), -predictions[k]["confidence"], k)
    )


def right_answers(predictions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the right predictions: one of every class, then a second of every class, …"""
    seen: defaultdict[str, int] = defaultdict(int)
    turns = []
    for k, p in enumerate(predictions):
        if _is_right(p):
            kind = p["label"] if "label" in p else " ".join(p["labels"])
            turns.append((seen[kind], kind, k))
            seen[kind] += 1
    return [k for _, _, k in sorted(turns)]


def _is_right(prediction: Mapping[str, Any]) -> bool:
    """Whether it names the true class, or all labels and no other."""
    if "label" in prediction:
        return prediction["predicted"] == prediction["label"]
    return set(prediction["predicted"]) == set(prediction["labels"])


def _shown_class(prediction: Mapping[str, Any]) -> str:
    """The class whose evidence is drawn: the one that was named; of several labels a wrong one,
    where there is one, the likeliest otherwise."""
    if "label" in prediction:
        return prediction["predicted"]
    wrong = [label for label in prediction["predicted"] if label not in prediction["labels"]]
    return wrong[0] if wrong else prediction["top"][0][0]


def last_block(backbone: Any) -> nn.Module | None:
    """The module that makes a backbone's last feature map (N, C, h, w) with h·w > 1.

    None where there is none, as in transformers, whose tokens Grad-CAM cannot place.
    """
    net = backbone.net
    if getattr(net, "output_fmt", "NCHW") == "NHWC":
        return None
    taps = [net.get_submodule(block.tap) for block in backbone.blocks if block.tap is not None]
    shapes: dict[nn.Module, torch.Size] = {}
    handles = [
        tap.register_forward_hook(lambda module, _, output: shapes.update({module: output.shape}))
        for tap in taps
    ]
    weight = next(net.parameters())
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(weight.new_zeros(1, 3, backbone.size, backbone.size))
    finally:
        net.train(training)
        for handle in handles:
            handle.remove()
    for tap in reversed(taps):
        shape = shapes.get(tap, ())
        if len(shape) == 4 and shape[2] * shape[3] > 1:
            return tap
    return None


def grad_cam(
    model: nn.Module, block: nn.Module, views: Tensor, classes: Sequence[int]
) -> NDArray[np.float32]:
    """Evidence for one class per view: float32 (N, h, w) in [0, 1], 1 where it is strongest.

    All zero where nothing in the view speaks for the class. Frozen parameters do not matter, and
    the model is left as it was. Raises UnsupportedError where `block` makes no feature map.
    """
    caught: list[Tensor] = []

    def catch(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or output.dim() != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UnsupportedError(
                f"Grad-CAM needs a feature map (N, C, h, w); {type(block).__name__} gives {shape}"
            )
        caught.append(output.detach().requires_grad_())
        return caught[-1].clone()  # what follows may work in place

    weight = next(model.parameters())
    modes = [(module, module.training) for module in model.modules()]
    handle = block.register_forward_hook(catch)
    try:
        model.eval()
        with torch.enable_grad():
            logits = model(views.to(device=weight.device, dtype=weight.dtype))
            asked = logits[torch.arange(len(views)), torch.as_tensor(classes)].sum()
            (gradient,) = torch.autograd.grad(asked, caught[0])
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
    channels = gradient.mean(dim=(2, 3), keepdim=True)
    maps = (channels * caught[0].detach()).sum(dim=1).relu().float()
    most = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, maps / most, 0.0).cpu().numpy()


def overlay(
    thumbnail: NDArray[np.uint8], heat: NDArray[np.float32], seen: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The picture in grey with the heat on it; what the network did not see is pale, and framed.

    thumbnail: uint8 (H, W, 3).   heat: float32 (h, w) in [0, 1], over the network's view.
    seen: float64 (H, W, 2), where each pixel lies in that view, x and y in [0, 1] if inside.
    """
    from matplotlib import colormaps

    inside = np.asarray(((seen >= 0) & (seen <= 1)).all(axis=2))
    grid = torch.from_numpy(seen * 2 - 1).float()[None]
    smooth = nn.functional.grid_sample(
        torch.from_numpy(heat)[None, None], grid, "bicubic", "border", align_corners=False
    )[0, 0].clamp(0, 1)
    level = smooth.numpy()[..., None]
    grey = (thumbnail @ np.array([0.299, 0.587, 0.114]))[..., None] * np.ones(3)
    color = colormaps[PALETTE](level[..., 0])[..., :3] * 255
    strength = 0.45 + 0.25 * level
    drawn = np.where(inside[..., None], (1 - strength) * grey + strength * color, 0)
    drawn[~inside] = 0.3 * grey[~inside] + 0.7 * 215
    drawn[_border(inside)] = 255
    return np.clip(np.round(drawn), 0, 255).astype(np.uint8)


def positions(size: tuple[int, int], picture: tuple[int, int], warp: Any) -> NDArray[np.float64]:
    """Where each pixel of a thumbnail lies in the network's view: (H, W, 2) of x and y.

    size: of the thumbnail, (width, height).   picture: of the picture that `warp` was made for.
    warp: has `size` and `homography`, from points of the view to points of the picture.
    """
    back = np.linalg.inv(np.reshape(warp.homography, (3, 3)))
    x = (np.arange(size[0]) + 0.5) * (picture[0] / size[0])
    y = (np.arange(size[1]) + 0.5) * (picture[1] / size[1])
    points = np.stack([*np.meshgrid(x, y), np.ones((size[1], size[0]))], axis=-1) @ back.T
    return points[..., :2] / points[..., 2:] / warp.size


def _border(inside: NDArray[np.bool_], thick: int = 2) -> NDArray[np.bool_]:
    """The outermost pixels of the seen part, on the sides where something is left out."""
    inner = inside.copy()
    for _ in range(thick):
        padded = np.pad(inner, 1, mode="edge")
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~inner


def _decode(path: Path, view: View) -> NDArray[np.uint8] | DataError:
    """The pixels, or why there are none."""
    from darter.picture import decode

    try:
        return decode(path, min_side=view.min_side, value_range=view.value_range).pixels
    except DataError as error:
        return error


def _save(
    out: Path, name: str, pixels: Any, preprocess: View, heat: NDArray[np.float32] | None
) -> Record:
    from PIL import Image

    height, width = pixels.shape[:2]
    shrink = min(1.0, THUMBNAIL / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    files: Record = {"picture": f"{name}.jpg", "heatmap": None}
    write_atomic(out / files["picture"], _jpeg(small))
    if heat is not None:
        seen = positions(size, (width, height), preprocess.warp((width, height)))
        files["heatmap"] = f"{name}-heat.jpg"
        drawn = overlay(np.asarray(small), heat, seen)
        write_atomic(out / files["heatmap"], _jpeg(Image.fromarray(drawn)))
    return files


def _jpeg(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
