"""Grad-CAM on nets whose evidence is known, and the pictures that the report shows."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from darter.errors import UnsupportedError
from darter.train.explain import explain, right_answers, worst_mistakes
from darter.train.heat_maps import grad_cam, last_block, overlay, positions


class RedOrGreen(nn.Module):
    """Class 0 is as sure as there is red, class 1 as there is green; blue speaks for none."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            self.look.weight.zero_()
            for color in range(3):
                self.look.weight[color, color] = 1 / 16
            self.head.weight.copy_(torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]))
        self.requires_grad_(False)

    def forward(self, x):
        return self.head(self.act(self.look(x)).mean(dim=(2, 3)))


def quadrants() -> np.ndarray:
    """32×32: red in the upper left, green in the lower right, blue elsewhere."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 2] = 120
    pixels[4:12, 4:12] = (255, 0, 0)
    pixels[20:28, 20:28] = (0, 255, 0)
    return pixels


@dataclass(frozen=True)
class Middle:
    """The middle `size` pixels of a picture at full scale, as a preprocessing."""

    size: int = 32
    min_side: int = 1
    value_range: None = None

    def warp(self, picture):
        x, y = ((side - self.size) / 2 for side in picture)
        return SimpleNamespace(size=self.size, homography=(1, 0, x, 0, 1, y, 0, 0, 1))

    def __call__(self, pixels):
        y, x = ((side - self.size) // 2 for side in pixels.shape[:2])
        seen = pixels[y : y + self.size, x : x + self.size]
        return np.float32(seen.transpose(2, 0, 1)) / 255


@pytest.mark.parametrize(("label", "peak"), [(0, (0, 0)), (1, (1, 1))])
def test_the_map_peaks_where_the_evidence_is(label, peak):
    model = RedOrGreen().train()
    views = torch.from_numpy(Middle()(quadrants()))[None]
    (heat,) = grad_cam(model, model.look, views, [label])
    assert heat.shape == (8, 8)
    assert heat.max() == 1
    quarters = heat.reshape(2, 4, 2, 4).sum(axis=(1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == peak
    assert quarters[peak] == quarters.sum(), "the other quarters hold no evidence at all"
    assert model.training, "the model is left in the mode that it was in"
    assert not model.look._forward_hooks


def test_each_picture_of_a_batch_has_its_own_class():
    model = RedOrGreen()
    views = torch.from_numpy(Middle()(quadrants())).expand(2, -1, -1, -1)
    together = grad_cam(model, model.look, views, [0, 1])
    for heat, label in zip(together, (0, 1), strict=True):
        np.testing.assert_array_equal(heat, grad_cam(model, model.look, views[:1], [label])[0])


def test_no_evidence_is_an_empty_map():
    model = RedOrGreen()
    heat = grad_cam(model, model.look, torch.zeros(1, 3, 32, 32), [0])
    assert not heat.any()


def test_a_block_without_a_map_is_refused():
    model = RedOrGreen()
    with pytest.raises(
        UnsupportedError, match=r"feature map \(N, C, h, w\); Linear gives \(1, 2\)"
    ):
        grad_cam(model, model.head, torch.zeros(1, 3, 32, 32), [0])


def test_the_heat_lies_on_the_part_that_the_network_saw():
    """A picture of 64×32 of which the network sees the middle 32×32."""
    seen = positions((64, 32), (64, 32), Middle().warp((64, 32)))
    inside = ((seen >= 0) & (seen <= 1)).all(axis=2)
    assert np.flatnonzero(inside.any(axis=0)).tolist() == list(range(16, 48))
    assert inside[:, 16:48].all()
    heat = np.zeros((8, 8), np.float32)
    heat[0, 0] = 1
    drawn = overlay(np.full((32, 64, 3), 100, np.uint8), heat, seen)
    brightness = drawn.sum(axis=2) * inside
    brightness[:, [16, 17, 46, 47]] = 0  # the frame
    y, x = np.unravel_index(brightness.argmax(), brightness.shape)
    assert y < 8
    assert 18 <= x < 26
    assert (drawn[:, 16] == 255).all(), "a frame where something is left out"
    assert not (drawn[0, 20:44] == 255).all(), "and none where the picture ends"


def test_thumbnails_of_other_sizes_have_the_same_geometry():
    warp = Middle().warp((640, 320))
    small = positions((64, 32), (640, 320), warp)
    large = positions((640, 320), (640, 320), warp)
    np.testing.assert_allclose(small, large.reshape(32, 10, 64, 10, 2).mean(axis=(1, 3)))


def test_mistakes_come_by_confidence_and_right_answers_class_by_class():
    rows = [("a", "b", 0.6), ("a", "a", 0.9), ("b", "b", 0.9), ("b", "a", 0.8), ("a", "a", 0.7)]
    predictions = [{"label": t, "predicted": p, "confidence": c} for t, p, c in rows]
    assert worst_mistakes(predictions) == [3, 0]
    assert right_answers(predictions) == [1, 2, 4]


@pytest.fixture
def labelled(tmp_path):
    """One mistake, one right answer, one picture that is gone."""
    Image.fromarray(np.pad(quadrants(), ((0, 0), (8, 8), (0, 0)))).save(tmp_path / "it's <a>.png")
    Image.fromarray(quadrants()).save(tmp_path / "b.png")
    samples = [SimpleNamespace(path=tmp_path / n) for n in ("it's <a>.png", "b.png", "gone.png")]
    predictions = [
        {"path": "it's <a>.png", "label": "green", "predicted": "red", "confidence": 0.9},
        {"path": "b.png", "label": "green", "predicted": "green", "confidence": 0.8},
        {"path": "gone.png", "label": "red", "predicted": "green", "confidence": 0.7},
    ]
    return samples, predictions


def test_explain_draws_pictures_and_names_them(tmp_path, labelled):
    model, told = RedOrGreen(), []
    record = explain(
        model, model.look, Middle(), *labelled, tmp_path / "run", classes=["red", "green"],
        progress=lambda done, total: told.append((done, total)), batch_size=2,
    )  # fmt: skip
    first, gone = record["mistakes"]
    assert first["path"] == "it's <a>.png"
    assert first["picture"] == "pictures/mistakes-000.jpg"
    assert "gone.png" in gone["error"]
    assert gone["picture"] is None
    assert told == [(2, 3), (3, 3)]
    with Image.open(tmp_path / "run" / first["heatmap"]) as heat:
        assert heat.size == (48, 32)
        pixels = np.asarray(heat, np.int64)
    red, green = pixels[4:12, 12:20].mean(), pixels[20:28, 28:36].mean()
    assert red > 1.5 * green
    assert len(record["samples"]) == 1
    again = explain(
        model, model.look, Middle(), *labelled, tmp_path / "again", classes=["red", "green"]
    )
    assert again == record
    for file in (tmp_path / "run" / "pictures").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / "pictures" / file.name).read_bytes()


def test_without_a_block_there_are_pictures_and_no_heat(tmp_path, labelled):
    record = explain(RedOrGreen(), None, Middle(), *labelled, tmp_path, classes=["red", "green"])
    assert [r["heatmap"] for r in record["samples"]] == [None]
    assert Path(tmp_path / record["samples"][0]["picture"]).is_file()


def backbone(net, taps):
    blocks = [SimpleNamespace(tap=tap) for tap in taps]
    return SimpleNamespace(net=net, blocks=blocks, size=32)


def test_last_block_is_the_last_that_makes_a_map():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 8, 3, stride=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 8),
    )  # fmt: skip
    assert last_block(backbone(net, ["0", "1", "2", "4"])) is net[1]
    assert not any(module._forward_hooks for module in net.modules())
    assert net.training
    assert last_block(backbone(net, ["4", None])) is None
    net.output_fmt = "NHWC"
    assert last_block(backbone(net, ["0", "1"])) is None
