"""Every entry of a recipe changes something; none is accepted and ignored."""

from dataclasses import fields

import pytest
import torch

from darter.dataset import PixelStatistics
from darter.errors import OptionError
from darter.train import Recipe, make_augment, make_preprocess
from darter.train.optimizer import settle_strategy
from tests.train.tiny import (
    ALL,
    QUICK,
    tiny_backbone,
    tiny_model,
    tiny_pictures,
    tiny_problem,
    train,
)

# Another value for an entry, and what QUICK needs for it to matter.
CHANGES_WEIGHTS = {
    "dropout": (0.5, {}),
    "norm_statistics": ("updated", {}),
    "optimizer": ("sgd", {}),
    "momentum": (0.5, {}),
    "learning_rate": (0.02, {}),
    "layer_decay": (0.5, {}),
    "head_multiplier": (10.0, {}),
    "weight_decay": (1.0, {}),
    "clip_gradient": (0.01, {}),
    "epochs": (4, {}),
    "batch_size": (9, {}),
    "accumulate": (2, {}),
    "warmup": (0.5, {}),
    "schedule": ("constant", {}),
    "label_smoothing": (0.3, {}),
    "class_balance": ("sampling", {}),
    "mixup": (0.4, {}),
    "cutmix": (1.0, {}),
    "ema": (0.0, {}),
    "patience": (1, {"learning_rate": 2.0}),
    "precision": ("bfloat16", {}),
    "weights_in": ("bfloat16", {"precision": "bfloat16"}),
    "seed": (1, {}),
    "size": (24, {}),
    "augment": ("strong", {}),
    "recompute_norms": ("before", {}),
    "dropconnect": (0.5, {}),
    "dropconnect_convolutions": (0.3, {}),
    "spatial_dropout": (0.3, {}),
    "swa": (0.5, {}),
}
ELSEWHERE = {
    "compute": "tests/train/test_compute.py",
    "ensemble_backbones": "tests/job/test_mixed.py",
    "keep_draws": "tests/noise/test_draws.py",
    "detector": "tests/job/test_other_tasks.py",
    "crop": "test_crop_shapes_both_paths",
    "layers": "tests/job/test_options.py",
    "strategy": "the main job chooses by it",
    "backbone": "the main job loads it",
    "weights": "the main job loads them",
    "channels_last": "test_channels_last_is_the_memory_order",
    "device": "test_absent_device_is_an_error",
    "threads": "test_threads_are_used",
    "ensemble": "tests/job/test_ensemble.py",
    "ensemble_kept": "tests/job/test_ensemble.py",
    "stochastic_depth": "test_residual_branches_of_the_default_net",
    "soup": "test_a_soup_is_never_worse_and_survives_a_resume",
}


def weights(recipe: Recipe, problem=None) -> torch.Tensor:
    problem = problem or tiny_problem(train=40, val=6)
    backbone = tiny_backbone()
    preprocess = make_preprocess(recipe, backbone)
    augment = make_augment(recipe, preprocess)
    fitted = train(tiny_model(), problem, recipe, augment=augment, preprocess=preprocess)
    model = fitted.model
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_the_lists_are_complete():
    assert {item.name for item in fields(Recipe)} == CHANGES_WEIGHTS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("name", CHANGES_WEIGHTS)
def test_entry_is_used(name):
    value, rest = CHANGES_WEIGHTS[name]
    before = weights(QUICK.replace(**rest))
    after = weights(QUICK.replace(**rest, **{name: value}))
    assert before.shape == after.shape and not torch.equal(before, after)


def test_the_same_recipe_gives_the_same_bits():
    recipe = QUICK.replace(dropout=0.3, mixup=0.2)
    assert torch.equal(weights(recipe), weights(recipe))


def test_crop_shapes_both_paths():
    for crop in ("center", "squash", "pad"):
        recipe = Recipe(crop=crop, size=32)
        preprocess = make_preprocess(recipe, tiny_backbone())
        assert (preprocess.crop, preprocess.size) == (crop, 32)
        assert make_augment(recipe, preprocess).crop == crop


def test_pca_noise_takes_the_training_colors():
    recipe = Recipe(augment={"pca_noise": {}})
    preprocess = make_preprocess(recipe, tiny_backbone())
    with pytest.raises(OptionError, match="pca_noise needs the colors"):
        make_augment(recipe, preprocess)
    pixels = PixelStatistics.of(tiny_pictures(1).pictures[0].pixels)
    assert make_augment(recipe, preprocess, pixels).pixels is pixels


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_last_is_the_memory_order(problem, channels_last):
    orders = set()
    model = tiny_model()

    def note(_module, inputs):
        orders.add(inputs[0].is_contiguous(memory_format=torch.channels_last))

    model.net.stem[0].register_forward_pre_hook(note)
    recipe = QUICK.replace(channels_last=channels_last)
    train(model, problem, recipe)
    assert orders == {channels_last}


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_absent_device_is_an_error():
    with pytest.raises(OptionError, match=r"device 'cuda' is not there; this machine has: .*cpu"):
        weights(QUICK.replace(device="cuda"))
    with pytest.raises(OptionError, match="needs a GPU"):
        weights(QUICK.replace(precision="float16"))


def test_threads_are_used(problem):
    seen = set()
    model = tiny_model()
    model.net.stem[0].register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    before = torch.get_num_threads()
    train(model, problem, QUICK.replace(threads=3))
    assert seen == {3}
    assert torch.get_num_threads() == before


def test_auto_entries_keep_the_strategys_values():
    assert settle_strategy(ALL, Recipe()) == ALL
    changed = settle_strategy(ALL, Recipe(layer_decay=0.5, dropout=0.0))
    assert (changed.layer_decay, changed.dropout) == (0.5, 0.0)
