import pytest
from PIL import Image

from darter.cli import main


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["pack", *map(str, arguments)])
    return end.value.code or 0


def test_folder_becomes_shards(tmp_path, capsys):
    for i in range(6):
        folder = tmp_path / "photos" / ("train", "mine")[i // 4] / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (90, 40), (40 * i, 0, 0)).save(folder / f"{i}.png")
    (tmp_path / "photos" / "train" / "a" / "gone.png").symlink_to("nowhere")
    assert run(tmp_path / "photos", tmp_path / "out", "--test", "mine", "--max-side", 64) == 0
    printed = capsys.readouterr().out
    assert "6 pictures in 1 shard, 0.0 MB, 6 stored smaller: " in printed
    assert "left out: train/a/gone.png: unreadable: a link to a file that is not there" in printed
    with pytest.raises(SystemExit):
        main(["audit", str(tmp_path / "out")])
    assert "6 pictures of 2 classes can be used" in capsys.readouterr().out
    assert run(tmp_path / "photos", tmp_path / "out") == 2
    assert "is not empty" in capsys.readouterr().err
