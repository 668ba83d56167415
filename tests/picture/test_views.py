import numpy as np
import pytest

from darter.errors import OptionError
from darter.picture import Preprocess, Views, views


def test_fifty_views():
    pixels = np.random.default_rng(0).integers(0, 256, (250, 300, 3), np.uint8)
    fifty = views()
    assert isinstance(fifty, Views)
    assert len(fifty) == 50
    images = fifty(pixels)
    assert images.shape == (50, 3, 224, 224)
    for scale in range(5):
        ten = images[10 * scale : 10 * scale + 10]
        np.testing.assert_allclose(ten[5:], ten[:5, :, :, ::-1], atol=2e-5)
    # at scale 256 the middle view is what Preprocess sees
    np.testing.assert_allclose(images[14], Preprocess(224)(pixels), atol=1e-6)
    assert "short side 640, top left, mirrored" in str(fifty.warps((300, 250))[45])


def test_corners_show_the_corners():
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[0, 0] = pixels[-1, 0] = pixels[0, -1] = pixels[-1, -1] = 255
    images = views(224, (256,), mean=(0, 0, 0), std=(1, 1, 1))(pixels)
    seen = [np.argwhere(image[0] > 0.5).tolist() for image in images]
    corners = [[[0, 0]], [[0, 223]], [[223, 0]], [[223, 223]], []]
    mirrored = [[[0, 223]], [[0, 0]], [[223, 223]], [[223, 0]], []]
    assert seen == corners + mirrored


def test_views_need_scales_that_hold_the_crop():
    with pytest.raises(OptionError, match="at least the crop's 224"):
        views(224, (200, 256))
