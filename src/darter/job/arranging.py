"""A trained classifier made as fast or as small as wished: `darter train --speed 60%`.

Each way (ways.py) makes a net that meets the wish, or comes near to it; the trained net teaches
each for a while; the best on the validation pictures is taught for the time that is left, and
kept. The model as it was trained stays beside it as trained.onnx.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.arrange import Tuning, distill, divergence, rebuilt
from darter.dataset import Sample
from darter.files import write_atomic
from darter.job.engine import Engine
from darter.job.judging import prove
from darter.job.learning import forward_of
from darter.job.material import Start, Trained
from darter.job.options import JobOptions
from darter.job.run import ARRANGE_SHARE, Run
from darter.job.run_folder import TRAINED
from darter.job.tried import Made, Tried, best
from darter.job.ways import (
    FLOAT,
    PER_SPLIT,
    WAYS,
    Wanted,
    Way,
    fewer_bits,
    shown,
    weights_of,
)
from darter.job.wishes import Target
from darter.kernels import BFLOAT16, FLOAT32, has_bfloat16
from darter.locks import cached_property
from darter.picture import Preprocess
from darter.train import computing
from darter.transfer import Classifier

MOST_BYTES = 5e8  # of training pictures in memory
MOST_HELD = 1000  # validation pictures that ways are judged by
AIM = 0.97  # of the wish, for nets that are changed: times differ a little by measurement
MAKING, FIRST = 0.5, 0.5  # of the stage's time: to make nets; of the rest, to teach all of them
RATE, BATCH = 2e-4, 32
AT_ONCE = 64  # pictures that are read together


def arrange(run: Run, start: Start, trained: Trained) -> Trained:
    """The model as wished, or the nearest to it: trained.onnx, arranged.json, arranging/."""
    wish = run.options.wish
    if wish is None:
        return trained
    prove(run, start, trained, run.folder.path / TRAINED)
    device = torch.device("cpu")
    if not run.folder.done("arrange"):
        with run.stage("arrange"), computing(device, start.recipe.threads):
            _Arranging(run, start, trained, wish).go()
    record = run.folder.read("arranged")
    kept = next((row for row in record["tried"] if row["kept"]), None)
    run.say("arrange", sentence(record), stage="arrange")
    if kept is None:
        return trained
    with computing(device, start.recipe.threads):
        return _Arranging(run, start, trained, wish).restored(kept["way"])


def sentence(record: dict[str, Any]) -> str:
    """What was done, for the terminal."""
    wish, before = record["wish"], record["before"]
    kept = next((row for row in record["tried"] if row["kept"]), None)
    if kept is None:
        why = "it is met already" if record["met"] else "no way could be taken: " + record["why"]
        return f"wished: {wish}; {why}"
    said = "" if kept["met"] else "; the wish is NOT met, this is the nearest"
    weights, right = (
        _became(*(f"{row[key]:{form}}" for row in (before, kept)))
        for key, form in (("weights", ","), ("score", ".1%"))
    )
    lines = [
        f"wished: {wish}",
        f"{kept['way']}: {kept['what']}, {before['ms']:.3g} ms become {kept['ms']:.3g} ms, "
        f"{weights} weights{said}",
        f"on validation pictures: {right} right",
    ]
    return "\n".join(lines)


def _became(before: str, after: str) -> str:
    """Both, or one where nothing changed."""
    return f"still {after}" if before == after else f"{before} become {after}"


def may_be_short(options: JobOptions) -> bool:
    """Whether bfloat16 is one of the ways: not where the user has named another precision, nor
    where this CPU would only imitate it."""
    return options.recipe.precision in ("auto", BFLOAT16) and not options.int8 and has_bfloat16()


class _Arranging:
    """One run of the stage; the net that is kept lies in arranging/ for a resumed run."""

    def __init__(self, run: Run, start: Start, trained: Trained, wish: Target) -> None:
        self.run, self.start, self.trained, self.wish = run, start, trained, wish
        self.material, self.task = start.material, start.material.task
        model = trained.model(self.task)
        assert isinstance(model, Classifier)
        self.model = model.eval()
        self.look = trained.preprocess(start)
        self.folder = run.folder.path / "arranging"
        threads = None if start.recipe.threads == "auto" else int(start.recipe.threads)
        self.engine = Engine(self.model, self.look.side, threads)
        self._views: dict[int, Tensor] = {}

    def go(self) -> None:
        """Make the nets, teach them, keep the best: arranged.json."""
        run, begun = self.run, time.monotonic()
        budget = max(
            1.0,
            min(ARRANGE_SHARE * run.options.seconds, run.time_left(self._judged, for_wish=True)),
        )
        ends = begun + budget
        size = self.look.side
        before = Tried(
            "as trained", "", size, self.engine.ms(self.model, size, FLOAT32),
            weights_of(self.model), self.score(self.model, size, FLOAT32), 0.0,
        )  # fmt: skip
        file = (run.folder.path / TRAINED).stat().st_size
        beside = file - FLOAT * before.weights
        goal = self.wish.words(before.ms)
        record = {"wish": goal, "before": asdict(before), "tried": [], "met": True, "why": ""}
        if self.wish.met(before.ms, before.ms, file):
            run.folder.record("arranged", record)
            return
        wanted = Wanted(
            self.model, size, self._training_pictures(), self.engine.ms, self.score,
            self.wish.most_ms(before.ms), (AIM * self.wish.most_bytes - beside) / FLOAT,
            not self.start.backbone.fixed_size, self.engine.watch,
            self._tuning(0, 0.0), partial(run.screen.line, "arrange"), may_be_short(run.options),
            begun + MAKING * budget, AIM,
        )  # fmt: skip
        met = partial(self._met, before.ms, beside)
        made = self._made(wanted, met)
        learners = sum(each.way.net is not self.model for each in made)
        share = FIRST * (ends - time.monotonic()) / max(1, learners)
        tried = [self._taught(wanted, each, share) for each in made]
        able = [each for each in tried if self._nearer(each.row, before.ms)]
        if not able:
            rows, why = (
                [each.row for each in tried],
                "no layer would be faster, no smaller picture will do",
            )
            record |= {"tried": [asdict(row) for row in rows], "met": False, "why": why}
            run.folder.record("arranged", record)
            return
        chosen = best(able)
        kept = self._taught(wanted, chosen, ends - time.monotonic())
        self._save(kept.way)
        rows = [replace(kept.row, kept=True) if each is chosen else each.row for each in tried]
        record |= {"tried": [asdict(row) for row in rows], "met": kept.row.met}
        run.folder.record("arranged", record)

    @property
    def _judged(self) -> int:
        return len(self.material.judged[1])

    def _met(self, before: float, beside: float, way: Way, ms: float) -> bool:
        more = PER_SPLIT * len(way.splits)
        return self.wish.met(ms, before, FLOAT * weights_of(way.net) + beside + more)

    def _nearer(self, row: Tried, before: float) -> bool:
        """Whether it is as wished, or at least faster where a speed is wished for."""
        return row.met or not self.wish.of_speed or row.ms < before

    def _made(self, wanted: Wanted, met: Callable[[Way, float], bool]) -> list[Made]:
        """Every way that there is time for, and those that take a moment until one meets the wish.
        No more once one does and costs nothing that validation pictures show."""
        found: list[Made] = []
        whole = self.score(self.model, self.look.side, FLOAT32)
        for make in WAYS:
            met_by = [each.row for each in found if each.row.met]
            enough = any(row.score >= whole for row in met_by)
            if enough or (met_by and wanted.late):
                break
            self._add(found, make(wanted), met)
        if not any(each.row.met for each in found):
            self._add(found, fewer_bits(wanted, enough=False), met)
        return found

    def _add(self, found: list[Made], way: Way | None, met: Callable[[Way, float], bool]) -> None:
        if way is None:
            return
        made = self._judge(way, met)
        found.append(made)
        self.run.screen.line("arrange", f"{way.name}: {way.what}, {made.row.ms:.3g} ms")

    def _judge(self, way: Way, met: Callable[[Way, float], bool]) -> Made:
        ms = self.engine.ms(way.net, way.size, way.precision)
        row = Tried(
            way.name, way.what, way.size, ms, weights_of(way.net), 0.0, 0.0,
            met=met(way, ms), precision=way.precision,
        )  # fmt: skip
        return self._answered(way, row)

    def _answered(self, way: Way, row: Tried) -> Made:
        """With what it answers to the validation pictures."""
        logits = self._logits(way.net, way.size, way.precision)
        right = self._right(logits)
        row = replace(row, score=float(right.mean()), divergence=self._divergence(logits))
        return Made(way, row, right)

    def _taught(self, wanted: Wanted, made: Made, seconds: float) -> Made:
        """The way after some teaching, if it answers better then."""
        way, row = made.way, made.row
        if seconds < 1 or not len(wanted.pictures) or way.net is self.model:
            return made
        net = rebuilt(self.model, way.splits, way.net.state_dict()).requires_grad_(True)
        view = partial(shown, size=way.size)
        example = view(wanted.pictures[:BATCH].float())
        forward, seconds = forward_of(net, example, seconds, self.start.recipe.compute)
        steps = distill(
            net, self._teacher, wanted.pictures, self._tuning(100_000, seconds, row.steps),
            view=view, forward=forward,
        )  # fmt: skip
        taught = replace(way, net=net.requires_grad_(False))
        after = self._answered(taught, replace(row, steps=row.steps + steps))
        return best([after, made])

    @cached_property
    def _teacher(self) -> Callable[[Tensor], Tensor]:
        return self.engine.opened(self.model, self.look.side, FLOAT32)

    def _tuning(self, steps: int, seconds: float, seed: int = 0) -> Tuning:
        return Tuning(
            steps=steps, batch=BATCH, rate=RATE, seconds=seconds, norms=False,
            mirror=self.trained.chosen.mirror_safe, shift=self.look.side // 16,
            seed=self.start.recipe.seed + seed, several=self.task.name == "multilabel",
        )  # fmt: skip

    def restored(self, name: str) -> Trained:
        """The trained model with the net that was kept, and its answers to validation pictures."""
        saved = torch.load(self._file(name), weights_only=True)
        precision = saved.get("precision", FLOAT32)
        net = rebuilt(self.model, saved["splits"], saved["state"]).requires_grad_(False)
        look, samples = self._look(saved["size"]), self.material.samples(self.material.split.val)
        parts = (samples[k : k + AT_ONCE] for k in range(0, len(samples), AT_ONCE))
        pictures = (torch.from_numpy(look.batch([s.path for s in part])) for part in parts)
        logits = [self.engine.logits(net, x, precision) for x in pictures]
        empty = self.trained.val_logits(self.task)[:0]
        fitted = replace(
            self.trained.fitted, model=net, val_logits=np.concatenate([empty, *logits])
        )
        return replace(self.trained, fitted=fitted, look=look, precision=precision)

    def _save(self, way: Way) -> None:
        splits = {name: list(split) for name, split in way.splits.items()}
        self.folder.mkdir(exist_ok=True)
        saved = {
            "size": way.size, "precision": way.precision, "splits": splits,
            "state": way.net.state_dict(),
        }  # fmt: skip
        with tempfile.TemporaryFile() as file:
            torch.save(saved, file)
            file.seek(0)
            write_atomic(self._file(way.name), file.read())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.pt"

    def score(self, net: nn.Module, size: int, precision: str) -> float:
        return float(self._right(self._logits(net, size, precision)).mean())

    def _right(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        targets = self.material.targets[list(self._held)]
        return np.asarray(self.task.rightness(logits, targets), np.float64)

    def _divergence(self, logits: NDArray[Any]) -> float:
        several = self.task.name == "multilabel"
        wanted = torch.from_numpy(self._logits(self.model, self.look.side, FLOAT32))
        return float(divergence(torch.from_numpy(logits), wanted, several=several))

    def _logits(self, net: nn.Module, size: int, precision: str) -> NDArray[np.float32]:
        return self.engine.logits(net, self._view(size), precision)

    @property
    def _held(self) -> tuple[int, ...]:
        """Validation pictures; training pictures where there are none."""
        parts = self.material.split
        return (parts.val or parts.train)[:MOST_HELD]

    def _view(self, size: int) -> Tensor:
        if size not in self._views:
            self._views[size] = _prepared(self._look(size), self.material.samples(self._held))
        return self._views[size]

    def _look(self, size: int) -> Preprocess:
        """How pictures are prepared for another size: the same part of each."""
        look = self.look
        if size == look.side:
            return look
        return replace(
            look, size=size, resize=max(size, round(size * (look.resize or 1) / look.side))
        )

    def _training_pictures(self) -> Tensor:
        samples = self.material.samples(self.material.split.train)
        most = int(MOST_BYTES / (2 * np.prod(self.look.shape)))
        order = np.random.default_rng(self.start.recipe.seed).permutation(len(samples))[:most]
        return _prepared(self.look, [samples[int(k)] for k in order])


def _prepared(look: Preprocess, samples: list[Sample]) -> Tensor:
    x = torch.empty((len(samples), *look.shape), dtype=torch.float16)
    for k in range(0, len(samples), AT_ONCE):
        part = samples[k : k + AT_ONCE]
        x[k : k + AT_ONCE] = torch.from_numpy(look.batch([s.path for s in part]))
    return x
