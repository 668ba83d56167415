"""What can be wished of a model, and what is said of what cannot."""

import math

import pytest

from darter.errors import OptionError
from darter.job import JobOptions
from darter.job.wishes import Target, parse_target


@pytest.mark.parametrize(
    ("speed", "size", "found"),
    [
        (None, None, None),
        ("60%", None, Target(share=0.6)),
        ("5ms", "1MB", Target(ms=5.0, bytes=1e6)),
        ("0.5 s", None, Target(ms=500.0)),
        (None, "800 kB", Target(bytes=8e5)),
    ],
)
def test_wishes_are_read(speed, size, found):
    assert parse_target(speed, size) == found
    assert JobOptions("photos", speed=speed, file_size=size).wish == found


@pytest.mark.parametrize("speed", ["fast", "60", "0%", "100%", "-5ms", "nan%", "infms", "%", ""])
def test_what_is_no_speed_is_said(speed):
    with pytest.raises(OptionError, match="--speed"):
        parse_target(speed, None)


@pytest.mark.parametrize("size", ["1", "small", "0MB", "-1kB"])
def test_what_is_no_size_is_said(size):
    with pytest.raises(OptionError, match="--file-size"):
        parse_target(None, size)


def test_a_wish_is_met_when_all_of_it_is():
    wish = Target(share=0.5, bytes=1e6)
    assert wish.most_ms(4.0) == 2.0
    assert wish.met(2.0, 4.0, 1e6)
    assert not wish.met(2.1, 4.0, 1e6)
    assert not wish.met(2.0, 4.0, 1.1e6)
    assert wish.words(4.0) == "2 ms (50% of 4 ms) and a file of 1 MB"
    assert Target(bytes=1.0).most_ms(4.0) == math.inf


def test_a_wish_travels_with_a_run():
    options = JobOptions("photos", speed="60%", file_size="2MB")
    assert JobOptions.from_dict(options.to_dict()) == options
