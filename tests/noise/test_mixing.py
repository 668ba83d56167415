import numpy as np
import pytest
import torch

from darter.noise import mix


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_mix_blends_pictures_as_targets(kind):
    """Pictures that are their own label: what is blended in shows in both alike."""
    images = torch.eye(4)[:, :, None, None].expand(4, 4, 16, 16).clone()
    alphas = {"mixup": 0.0, "cutmix": 0.0, kind: 1.0}
    for seed in range(20):
        random = np.random.default_rng(seed)
        mixed, targets = mix(images, torch.eye(4), random=random, **alphas)
        torch.testing.assert_close(mixed.mean(dim=(2, 3)), targets)
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
    assert torch.equal(images.mean(dim=(2, 3)), torch.eye(4)), "the batch itself is untouched"


def test_mix_off_changes_nothing():
    images, targets = torch.randn(2, 3, 4, 4), torch.eye(2)
    assert mix(images, targets, mixup=0, cutmix=0, random=np.random.default_rng(0)) == (
        images,
        targets,
    )
