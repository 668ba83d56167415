from types import SimpleNamespace

import pytest
from rich.console import Console

from darter.cli.train import with_options
from darter.errors import OptionError
from darter.job import Screen, job
from darter.job.material import Start
from darter.job.options import JobOptions, parse_seconds
from darter.job.stages import allowed
from darter.train import Recipe


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("600", 600), ("2h", 7200), ("1m30", 90)],
)
def test_times_are_read(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "ten", "-5m", "10 m", "10x", "5s", "0", "1m2h"])
def test_other_times_are_refused(text):
    with pytest.raises(OptionError, match="--time"):
        parse_seconds(text)


def test_options_survive_the_run_folder():
    options = JobOptions("photos", "val", 90.0, Recipe(epochs=3, seed=7, size=96))
    assert JobOptions.from_dict(options.to_dict()) == options


def test_options_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    (tmp_path / "photos" / "val").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(weights="net.pth")
    options = JobOptions("photos", "val", recipe=recipe).absolute()
    assert options.data == str(tmp_path / "photos")
    assert options.test == "val", "a folder of the data itself"
    assert options.recipe.weights == str(tmp_path / "net.pth")
    assert JobOptions("photos", "other", recipe=recipe).absolute().test == str(tmp_path / "other")


def test_a_resumed_run_finds_the_pictures_by_the_same_names(tmp_path, monkeypatch):
    for folder in ("photos/cats", "photos/dogs", "later/cats", "later/dogs"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3):
            (tmp_path / folder / f"{number}.png").write_bytes(b"not opened here")
    listings = []
    monkeypatch.setattr(job, "_run", lambda run, listing: listings.append(listing))
    screen = Screen(Console(quiet=True))
    monkeypatch.chdir(tmp_path)
    job.run_job(JobOptions("photos", "later"), tmp_path / "run", screen)
    monkeypatch.chdir("/")
    job.resume_job(tmp_path / "run", screen)
    first, resumed = listings
    assert first == resumed
    assert len(first.samples) == 12


def test_a_wrong_option_is_called_by_its_name():
    with pytest.raises(OptionError, match=r"^--size 3; expected .* a whole number from 8 to 1024"):
        with_options(Recipe(), {"size": 3, "seed": None})
    assert with_options(Recipe(), {"size": 64, "crop": "squash"}).crop == "squash"


def test_a_recipe_limits_who_may_win():
    recipe = Recipe(layers="all", learning_rate=0.002)
    by_name = {strategy.name: strategy for strategy in allowed(recipe)}
    assert by_name["fine-tune-all"].layers == "all"
    assert by_name["fine-tune-all"].learning_rates == (0.002,)
    assert by_name["linear-probe"].layers == "last", "a probe's name says what it reads"
    assert by_name["scratch"].layers == "last", "nothing to read in layers without pretraining"
    assert [s.name for s in allowed(Recipe(strategy="scratch"))] == ["scratch"]


@pytest.mark.parametrize(
    ("side", "mirror_safe", "named", "changes"),
    [
        (500, True, {}, {"area_crop", "flip", "jitter"}),
        (500, False, {}, {"area_crop", "jitter"}),
        (32, True, {}, {"rotate", "stretch", "translate", "flip", "jitter"}),
        (32, False, {}, {"rotate", "stretch", "translate", "jitter"}),
        (32, False, {"augment": {"flip": {}}}, {"flip"}),
    ],
)
def test_random_changes_suit_the_pictures_unless_named(side, mirror_safe, named, changes):
    start = Start(SimpleNamespace(side=side), Recipe(**named), *[None] * 6)
    assert set(start.recipe_with_changes(mirror_safe).augment) == changes
