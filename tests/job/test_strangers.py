"""The folder of foreign pictures: what is wrong with it is said before any work."""

from dataclasses import replace

import pytest
from PIL import Image

from darter.errors import DataError
from darter.job.options import JobOptions
from darter.job.stages import find
from darter.job.strangers import stranger_files


def test_a_folder_that_is_not_there_is_told_from_one_without_pictures(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        stranger_files(str(tmp_path / "nothere"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no picture in it can be read"):
        stranger_files(str(tmp_path))


def test_readable_pictures_are_drawn_the_same_each_time(tmp_path):
    for number in range(6):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = stranger_files(str(tmp_path), most=4)
    assert len(found) == 4 and found == stranger_files(str(tmp_path), most=4)
    assert tmp_path / "broken.png" not in found


def folder_with(unknown, tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (40, 40)).save(tmp_path / name / "1.png")
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "1.png").write_bytes(unknown)
    return JobOptions(str(tmp_path))


def test_a_folder_unknown_without_a_picture_is_said_before_any_work(tmp_path):
    options = folder_with(b"no picture", tmp_path)
    with pytest.raises(DataError, match=r"folder unknown/ can be read.*--unknown none"):
        find(options)
    assert "unknown" in find(replace(options, unknown="none")).classes
    assert replace(options, unknown="none").absolute().unknown == "none"
