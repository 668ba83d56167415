import pytest

from darter.cli.train import parse_seconds
from darter.errors import OptionError
from darter.job.options import JobOptions
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
