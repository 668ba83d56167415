"""Training of a detector: what `darter.train.fit` has to know of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Boxes, BoxLoader, BoxViews, Divide, Scanned, as_table
from darter.detect.calming import CalmAtLast
from darter.detect.detector_net import DetectorNet
from darter.model import OVERLAP, Truth, match_arrays, suppress
from darter.picture import Preprocess
from darter.train import Loop, Loss, Plan, Recipe, Training
from darter.transfer import Backbone, Strategy

STRIDE = 32  # sides of the input are multiples of it
USUAL_SIDE = 416  # pixels of the longer side of the input
EVALUATION_BATCH = 8
LEAST_SCORE = 0.001  # of a box that is worth a look when precision is measured
OVERLAPS_TRIED = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
SPARE = 5  # column of a table of boxes

AUGMENT: dict[str, dict[str, Any]] = {
    "random_frame": {"scale": (0.7, 1.7)},
    "flip": {},
    "jitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.02},
}
MOSAIC = 0.3


@dataclass(frozen=True)
class BoxExamples:
    """Pictures and their boxes: as `darter.train.Examples`, for boxes.

    targets: (N, most, 6) from `as_table`.   sizes: (N, 2), width and height of the pictures.
    """

    pictures: Sequence[Path]
    targets: NDArray[np.float32]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, pictures: Sequence[Scanned], classes: Sequence[str]) -> "BoxExamples":
        found = [p.sample.target for p in pictures]
        table = as_table([t for t in found if isinstance(t, Boxes)], classes)
        sizes = np.array([(p.width, p.height) for p in pictures], np.int64).reshape(-1, 2)
        return cls([p.sample.path for p in pictures], table, sizes)

    def __len__(self) -> int:
        return len(self.pictures)

    def digest(self) -> str:
        """Of boxes and file names."""
        digest = hashlib.sha256(np.ascontiguousarray(self.targets).tobytes())
        for picture in self.pictures:
            digest.update(picture.name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


def input_sides(recipe: Recipe, pictures: Sequence[Scanned]) -> tuple[int, int]:
    """(height, width) of the input: the pictures' usual shape, its longer side as the recipe says,
    but no larger than the pictures are."""
    shapes = np.array([(p.height, p.width) for p in pictures], np.float64)
    height, width = np.median(shapes, axis=0)
    longest = max(height, width)
    side = float(min(longest, USUAL_SIDE) if recipe.size == "auto" else recipe.size)
    sides = (max(STRIDE, STRIDE * round(side * s / longest / STRIDE)) for s in (height, width))
    rows, columns = sides
    return rows, columns


def make_preprocess(backbone: Backbone, sides: tuple[int, int]) -> Preprocess:
    """All of each picture, unsqueezed, with borders where its shape is another."""
    return Preprocess(sides, None, "pad", backbone.mean, backbone.std)


def candidates_to_rows(
    candidates: NDArray[np.float32], overlap: float | Sequence[float] = OVERLAP
) -> list[NDArray[np.float32]]:
    """(N, K, 6) of score, class, corners -> per picture (D, 6) of class, score, corners, without
    doubles (boxes of a class that overlap by more, than of all or of each class) and without what
    is hardly anything."""
    rows = []
    for each in candidates:
        likely = each[each[:, 0] >= LEAST_SCORE]
        kept = likely[suppress(likely[:, 2:], likely[:, 0], likely[:, 1], overlap=overlap)]
        rows.append(kept[:, [1, 0, 2, 3, 4, 5]])
    return rows


def settle_overlaps(
    candidates: NDArray[np.float32], truths: Sequence[Truth], classes: int
) -> tuple[float, ...]:
    """For each class the overlap from which two boxes are one thing: that of the best AP50 on
    validation pictures.

    candidates: (N, K, 6), see `candidates_to_rows`.   truths: of the same N pictures.
    Things that touch need another one than things that stand apart. Of gains below a thousandth,
    the nearest to the usual OVERLAP.
    """
    if not len(candidates):
        return (OVERLAP,) * classes
    tried = sorted(OVERLAPS_TRIED, key=lambda overlap: abs(overlap - OVERLAP))
    tables = [
        match_arrays(truths, candidates_to_rows(candidates, overlap), classes).table()[:, 0]
        for overlap in tried
    ]
    worth = np.nan_to_num(np.stack(tables)).round(3)  # (tried, classes)
    return tuple(tried[k] for k in worth.argmax(axis=0))


def truths_of(table: NDArray[np.float32]) -> list[Truth]:
    """The boxes of each of N pictures, from a table (N, most, 6) of class, corners, spare."""
    found = []
    for rows in table:
        rows = rows[rows[:, 0] >= 0]
        found.append(Truth(rows[:, 1:5], rows[:, 0].astype(np.int64), rows[:, SPARE] > 0))
    return found


@dataclass(frozen=True)
class DetectorTraining(Training[DetectorNet, BoxExamples, BoxViews]):
    """One run of training a detector."""

    task = "detect"

    @property
    def outputs(self) -> int:
        return self.model.classes

    def balance(self) -> str:
        return "none"

    def loop(self, plan: Plan) -> Loop:
        loop = super().loop(plan)
        if self.augment.mosaic and self.world is None:
            calm = self._batches(replace(self.augment, mosaic=0.0))
            loop.train = CalmAtLast(loop.train, calm, lambda: loop.plan.epochs)
        return loop

    def loader(self, balance: str, divide: Divide | None = None) -> BoxLoader:
        return self._batches(self.augment)

    def _batches(self, views: BoxViews) -> BoxLoader:
        size = int(self.recipe.batch_size)
        return BoxLoader(
            self.train.pictures,
            self.train.targets,
            self.train.sizes,
            views,
            size,
            seed=self.recipe.seed,
            drop_last=len(self.train) >= size,
            channels_last=self.recipe.channels_last,
            cache=self.cache,
        )

    def validation(self) -> BoxLoader:
        return BoxLoader(
            self.val.pictures,
            self.val.targets,
            self.val.sizes,
            BoxViews(self.preprocess),
            EVALUATION_BATCH,
            shuffle=False,
            channels_last=self.recipe.channels_last,
            cache=self.cache,
        )

    def judge(self, logits: NDArray[np.float32]) -> tuple[float, None]:
        """AP50 on the validation pictures, as the input shows them."""
        shown = np.concatenate([batch.targets for batch in self.validation().epoch(0)])
        found = match_arrays(truths_of(shown), candidates_to_rows(logits), self.outputs)
        return found.ap50, None

    def loss(self, balance: str) -> Loss:
        return self.model.loss()


def settle(recipe: Recipe, kind: type[DetectorNet]) -> tuple[Strategy, Recipe]:
    """Strategy and recipe with what suits this kind of detector where nothing else was asked."""
    strategy = kind.strategy
    changes: dict[str, Any] = {"strategy": strategy.name, "detector": strategy.name}
    if recipe.augment == Recipe().augment:
        changes["augment"] = AUGMENT
    if recipe.learning_rate == "auto":
        changes["learning_rate"] = strategy.default_learning_rate
    if recipe.batch_size == "auto":
        changes["batch_size"] = strategy.batch_size
    if recipe.compute == "auto" and not kind.compiles:
        changes["compute"] = "pytorch"
    return replace(strategy), recipe.replace(**changes)
