"""The folder of foreign pictures: what is wrong with it is said before any work."""

import pytest
from PIL import Image

from darter.errors import DataError
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
