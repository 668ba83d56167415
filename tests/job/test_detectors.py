"""Which kind of detector a run trains, and why."""

from types import SimpleNamespace

import pytest

from darter.job.detecting import LEAST_TRIAL, TRIAL_SHARE, _choose
from darter.job.run_folder import RunFolder


class Material:
    """AP50 of each kind on validation pictures, if it is asked."""

    val = (0,)

    def __init__(self, **ap50):
        self.ap50, self.asked = ap50, []

    def fit(self, run, name, out, seconds):
        self.asked.append((name, out.name, seconds))
        return SimpleNamespace(
            val_accuracy=self.ap50[name.replace("-", "_")], history=[{"step": 7}]
        )


def run_in(folder, *, detector="auto", seconds=2 * LEAST_TRIAL / TRIAL_SHARE):
    found = RunFolder.create(folder, {}) if not folder.exists() else RunFolder.open(folder)
    return SimpleNamespace(
        recipe=SimpleNamespace(detector=detector),
        options=SimpleNamespace(seconds=seconds),
        folder=found,
        say=lambda *args: None,
    )


def test_the_better_of_all_kinds_is_trained_and_none_is_measured_twice(tmp_path):
    material = Material(one_stage=0.5, faster_rcnn=0.6)
    run = run_in(tmp_path / "run")
    name, why = _choose(run, material)
    assert name == "faster-rcnn" and "one-stage 50.0%, faster-rcnn 60.0%" in why
    assert [each[0] for each in material.asked] == ["one-stage", "faster-rcnn"]
    assert run.folder.read("detectors")["one-stage"] == {
        "ap50": 0.5, "steps": 7, "seconds": 2 * LEAST_TRIAL,
    }  # fmt: skip
    again = Material()
    assert _choose(run_in(tmp_path / "run"), again) == (name, why) and not again.asked


@pytest.mark.parametrize("asked", [
    {"detector": "faster-rcnn"}, {"detector": "one-stage"}, {"seconds": 60.0},
])  # fmt: skip
def test_nothing_is_measured_where_it_is_known_or_time_is_short(tmp_path, asked):
    material = Material()
    name, _ = _choose(run_in(tmp_path / "run", **asked), material)
    assert name == asked.get("detector", "one-stage") and not material.asked


def test_seconds_of_a_stage_are_those_of_all_sittings(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    folder = RunFolder.create(tmp_path / "run", {})
    with pytest.raises(KeyboardInterrupt), folder.stage("train"):
        raise KeyboardInterrupt
    assert not folder.done("train")
    folder = RunFolder.open(tmp_path / "run")
    assert folder.spent >= 10
    with folder.stage("train"):
        pass
    assert folder.run["seconds"]["train"] == 20
    with folder.stage("train"):  # looked at again by a resumed run
        pass
    assert RunFolder.open(tmp_path / "run").run["seconds"]["train"] == 30
