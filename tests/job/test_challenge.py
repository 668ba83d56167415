"""The rivals of a probe that leaves time unused; training itself is stood in for."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from darter.files import read_json
from darter.job import challenge as module
from darter.job.material import Chosen, Trained
from darter.job.options import JobOptions
from darter.job.run import Run
from darter.job.run_folder import RunFolder
from darter.model import Classify
from darter.transfer import STRATEGIES

LABELS = np.arange(100) % 2
RIVALS = [
    {"strategy": "fine-tune-all", "layers": "all", "learning_rate": 4e-4},
    {"strategy": "scratch", "layers": "last", "learning_rate": 3e-3},
]


def fitted(wrong: int, first: int = 0) -> SimpleNamespace:
    """A model that errs on so many of the 100 validation pictures, from one on."""
    logits = np.eye(2)[LABELS]
    logits[first : first + wrong] = logits[first : first + wrong, ::-1]
    record = {"epoch": 1, "step": 9, "seconds": 1.0, "waited_seconds": 0.0}
    return SimpleNamespace(
        val_logits=logits, val_accuracy=1 - wrong / 100, plan=object(), best_epoch=1,
        history=({**record, "epoch": 0, "step": 0}, record), ended="all epochs", seconds=1.0,
    )  # fmt: skip


@dataclass
class Stage:
    folder: RunFolder
    wrong: dict[str, int]
    trained: list[tuple[str, str, float]] = field(default_factory=list)

    def fit(self, run, start, chosen, out, seconds):
        name = chosen.strategy.name
        self.trained.append((name, chosen.strategy.layers, seconds))
        out.mkdir(parents=True, exist_ok=True)
        (out / "metrics.jsonl").write_text(f"{name}\n")
        return fitted(self.wrong[name])

    def run(self, probe_wrong: int, strategy: str = "linear-probe-all-layers"):
        probe = Chosen(STRATEGIES[strategy], 0.0, True, "raced")
        split = SimpleNamespace(val=tuple(range(100)))
        material = SimpleNamespace(
            task=Classify(), targets=LABELS, split=split, judged=("test", (1, 2))
        )
        screen = SimpleNamespace(line=lambda *words: None)
        run = Run(JobOptions("photos"), self.folder, screen)
        start = SimpleNamespace(material=material, recipe=SimpleNamespace(ensemble=1))
        kept = module.challenge(run, start, Trained(probe, fitted(probe_wrong, first=50)))
        return kept.chosen, kept.fitted


@pytest.fixture
def stage(tmp_path, monkeypatch) -> Stage:
    folder = RunFolder.create(tmp_path / "run", {})
    folder.record("race", {"challengers": RIVALS})
    made = Stage(folder, {"fine-tune-all": 9, "scratch": 1})
    monkeypatch.setattr(module, "fit_chosen", made.fit)
    recipe = SimpleNamespace(save=lambda path: Path(path).write_text("saved"))
    monkeypatch.setattr(module, "recipe_for", lambda start, chosen: recipe)
    return made


def test_a_clearly_better_rival_is_kept(stage):
    chosen, model = stage.run(probe_wrong=9)
    assert chosen.strategy.name == "scratch" and chosen.learning_rate == 3e-3
    assert model.val_accuracy == 0.99
    assert [(name, layers) for name, layers, _ in stage.trained] == [
        ("fine-tune-all", "all"), ("scratch", "last"),
    ]  # fmt: skip
    first, second = (seconds for _, _, seconds in stage.trained)
    assert second == pytest.approx(2 * first, rel=0.05), "each gets its share of what is left"
    record = read_json(stage.folder.path / "challenge.json")
    assert [c["kept"] for c in record["contenders"]] == [False, False, True]
    assert "accuracy 99.0% on 100" in record["winner"]["why"]
    assert (stage.folder.path / "metrics.jsonl").read_text() == "scratch\n"
    assert stage.folder.run["strategy"] == {"name": "scratch", "learning_rate": 3e-3}


def test_a_rival_within_one_standard_error_is_not(stage):
    chosen, model = stage.run(probe_wrong=2)
    assert chosen.strategy.name == "linear-probe-all-layers"
    assert model.val_accuracy == 0.98
    assert not (stage.folder.path / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("wrong", "strategy"), [(1, "linear-probe"), (0, "linear-probe"), (9, "fine-tune-last")]
)
def test_nothing_is_tried_where_nothing_could_be_shown(stage, wrong, strategy):
    chosen, _ = stage.run(probe_wrong=wrong, strategy=strategy)
    assert chosen.strategy.name == strategy
    assert stage.trained == []
    why = stage.folder.run.get("unchallenged", "")
    if strategy == "linear-probe":
        assert f"errs on {wrong} of 100 validation pictures" in why
        assert "s of the time are left unused" in why
    else:
        assert not why, "no linear classifier won, so its time was used"


def test_no_time_no_rivals(stage):
    stage.folder.save(seconds={"race": 1000.0})
    stage.folder = RunFolder.open(stage.folder.path)
    assert stage.run(probe_wrong=9)[0].strategy.name == "linear-probe-all-layers"
    assert stage.trained == []
    assert not (stage.folder.path / "challenge.json").exists(), "the page would speak of it"
    assert "less than 15 s of the time were left" in stage.folder.run["unchallenged"]


def test_a_resumed_run_takes_the_same_winner_again(stage):
    stage.run(probe_wrong=9)
    stage.trained.clear()
    stage.wrong["scratch"] = 50
    chosen, _ = stage.run(probe_wrong=9)
    assert chosen.strategy.name == "scratch"
    assert [name for name, _, _ in stage.trained] == ["scratch"]
