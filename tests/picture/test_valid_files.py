"""Valid files of every kind show what a formula says; all of them with `pytest -m slow`."""

import itertools

import numpy as np
import pytest

from darter.picture import PictureError, decode
from tests.picture.valid_files import Valid, valid_files

STEP = 13  # of the files in the quick tests: prime, so that every row of each table is met
MODULES = ("tiff", "png", "bmp")


def wrong(file: Valid) -> str | None:
    """What is wrong with what is read, or None."""
    try:
        found = decode(file.content, value_range=file.value_range).pixels
    except PictureError as error:
        return None if file.unread else f"{file.name}: {error}"
    if file.unread:
        return f"{file.name} can be read, though {file.unread}"
    if found.shape != file.pixels.shape:
        return f"{file.name}: {found.shape} for {file.pixels.shape}"
    off = float(np.abs(found - file.pixels).max())
    return None if off <= file.off + 1e-9 else f"{file.name} is off by {off:.2f} of 255"


def all_wrong(files) -> list[str]:
    return [text for text in map(wrong, files) if text]


def test_a_sample_of_valid_files():
    files = [*itertools.islice(valid_files(), 0, None, STEP)]
    assert {file.name.split("-")[0] for file in files} == {*MODULES}
    assert sum(not file.unread for file in files) > 250
    assert not all_wrong(files)


@pytest.mark.slow
def test_every_valid_file():
    files = [*valid_files()]
    assert len({file.name for file in files}) == len(files)
    assert sum(not file.unread for file in files) >= 3000
    assert not all_wrong(files)
