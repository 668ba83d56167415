import json

import numpy as np
import pytest
from PIL import Image

from darter.cli import main
from darter.cli.doctor import _usable
from darter.doctor import Job
from darter.doctor.parts import measure_parts
from darter.picture import Augment


class Nothing:
    """A model that does not learn."""

    def step(self, batch):
        return None

    def lighter(self):
        return ()


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(8):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
    return tmp_path / "photos"


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["doctor", *map(str, arguments)])
    return end.value.code or 0


@pytest.mark.slow
def test_the_model_limits_a_real_network_on_small_pictures(photos, capsys):
    options = ("--size", 64, "--batch-size", 4, "--seconds", 2)
    assert run(photos, *options, "--precision", "float32", "--verify") == 0
    printed = capsys.readouterr().out
    assert "8 pictures; efficientnet_lite0 at 64, batches of 4, float32" in printed
    assert "The model's step limits training" in printed
    assert "Remedy: " in printed and "Tried: " in printed
    (photos / "a" / "bad.jpg").write_bytes(b"no picture")
    assert run(photos, *options, "--json", "--no-cache") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["limit"] == "model" and found["pictures"] == 9
    assert found["times"]["without_reading"] > 0


def test_wrong_options_are_named(photos, capsys):
    assert run(photos, "--precision", "float8") == 2
    assert "--precision must be auto, float32 or bfloat16" in capsys.readouterr().err
    assert run(photos / "nowhere") == 2
    assert "does not exist" in capsys.readouterr().err


def test_numbers_without_a_white_are_read_with_the_range_of_all(tmp_path):
    for number, base in enumerate((-40, 300)):
        values = base + np.arange(2000, dtype=np.float32).reshape(40, 50)
        Image.fromarray(values).save(tmp_path / f"{number}.tif")
    (tmp_path / "bad.tif").write_bytes(b"no picture")
    usable, side, value_range = _usable(tuple(sorted(tmp_path.iterdir())))
    assert [path.name for path in usable] == ["0.tif", "1.tif"] and side == 40
    assert value_range == (-40, 2299)
    augment = Augment((), 32, value_range=value_range)
    job = Job(usable, augment, Nothing(), len(usable), batch_size=2)
    assert job.decoded()[0].pixels.max() == round(255 * 1999 / 2339)
    assert job.plain_batch().images.shape == (2, 3, 32, 32)
    assert measure_parts(job).decode > 0
