import tomllib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.errors import DataError, OptionError
from darter.train import Recipe
from darter.train.toml import to_toml

OTHERS = {  # a valid value other than the default, for each entry
    "strategy": "linear-probe",
    "backbone": "resnet18",
    "detector": "one-stage",
    "compute": "darter",
    "weights": "my file.pth",
    "size": 96,
    "crop": "pad",
    "weights_in": "bfloat16",
    "layers": "all",
    "dropout": 0.5,
    "norm_statistics": "updated",
    "optimizer": "sgd",
    "momentum": 0.8,
    "learning_rate": 1e-5,
    "layer_decay": 0.65,
    "head_multiplier": 10.0,
    "weight_decay": 0.05,
    "clip_gradient": 0.0,
    "epochs": 7,
    "batch_size": 33,
    "accumulate": 4,
    "warmup": 0.0,
    "schedule": "constant",
    "label_smoothing": 0.0,
    "class_balance": "sampling",
    "mixup": 0.2,
    "cutmix": 1.0,
    "ema": 0.0,
    "patience": 0,
    "precision": "bfloat16",
    "channels_last": False,
    "device": "cpu",
    "threads": 3,
    "seed": 2**62,
    "augment": {"rotate": {"degrees": [-10.0, 10.0]}},
    "recompute_norms": "after",
    "dropconnect": 0.5,
    "dropconnect_convolutions": 0.1,
    "spatial_dropout": 0.1,
    "stochastic_depth": 0.2,
    "swa": 0.25,
    "ensemble": 3,
    "ensemble_backbones": "efficientnet_lite1",
    "ensemble_kept": "always",
    "keep_draws": 16,
    "soup": 5,
}
BAD = {
    "compute": "gpu",
    "size": 7,
    "crop": "middle",
    "layers": "inner",
    "dropout": 1.0,
    "norm_statistics": "live",
    "optimizer": "adam",
    "momentum": 1.0,
    "learning_rate": 0,
    "layer_decay": 1.5,
    "head_multiplier": -1,
    "weight_decay": -0.1,
    "clip_gradient": -1,
    "epochs": 2.5,
    "batch_size": 0,
    "accumulate": 0,
    "warmup": 1.1,
    "schedule": "step",
    "label_smoothing": "a little",
    "class_balance": True,
    "mixup": -1,
    "cutmix": float("nan"),
    "ema": 1.0,
    "patience": -1,
    "precision": "float64",
    "channels_last": 1,
    "device": "gpu",
    "threads": 0,
    "seed": -1,
    "augment": ["flip"],
    "recompute_norms": True,
    "dropconnect": 1.0,
    "dropconnect_convolutions": -0.1,
    "spatial_dropout": 1,
    "stochastic_depth": "some",
    "swa": 1.5,
    "ensemble": 0,
    "ensemble_backbones": 3,
    "ensemble_kept": "sometimes",
    "keep_draws": 65,
    "soup": -1,
}


@pytest.mark.parametrize("name", [item.name for item in fields(Recipe)])
def test_every_entry_survives_the_file(tmp_path, name):
    recipe = Recipe(learning_rate=0.5).replace(**{name: OTHERS[name]})
    assert recipe != Recipe(learning_rate=0.5)
    recipe.save(tmp_path / "recipe.toml")
    assert Recipe.load(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize("name", BAD)
def test_value_out_of_range_names_entry_and_range(name):
    with pytest.raises(OptionError, match=f"recipe: {name} = .*; expected "):
        Recipe(**{name: BAD[name]})


def test_every_entry_is_explained_in_the_file():
    text = Recipe().to_toml()
    for item in fields(Recipe):
        assert f"# {item.metadata['note']}\n" in text, item.name


def test_unknown_entry_names_the_nearest(tmp_path):
    (tmp_path / "recipe.toml").write_text("lerning_rate = 0.1\n")
    with pytest.raises(OptionError, match="unknown entry 'lerning_rate'; did you mean 'learning_"):
        Recipe.load(tmp_path / "recipe.toml")
    with pytest.raises(OptionError, match="unknown entry 'xyz'; entries: strategy, backbone"):
        Recipe.from_dict({"xyz": 1})


def test_augmentation_is_spelled_out_and_checked():
    assert Recipe(augment="light").augment["flip"] == {"p": 0.5}
    with pytest.raises(OptionError, match="'ligth'"):
        Recipe(augment="ligth")
    with pytest.raises(OptionError, match="did you mean 'rotate'"):
        Recipe(augment={"rotated": {}})
    with pytest.raises(OptionError, match="degrees"):
        Recipe(augment={"rotate": {"degree": [0, 1]}})


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(DataError, match="cannot read the recipe"):
        Recipe.load(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("epochs = = 3")
    with pytest.raises(OptionError, match="is not TOML"):
        Recipe.load(tmp_path / "bad.toml")


def test_entries_that_contradict_each_other_are_refused():
    with pytest.raises(OptionError, match="mixup and cutmix are both on"):
        Recipe(mixup=0.2, cutmix=1.0)
    with pytest.raises(OptionError, match='for "sgd" give a number'):
        Recipe(optimizer="sgd")


scalars = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False)
)
names = st.text("abcXYZ09_- .\"'é#", min_size=1)


@given(
    st.dictionaries(
        names, scalars | st.lists(scalars) | st.dictionaries(names, st.dictionaries(names, scalars))
    )
)
def test_toml_is_read_back_equal(entries):
    assert tomllib.loads(to_toml(entries, {})) == entries


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"size = " + b"[" * 100_000, "nested too deeply"),
        (b"[a]\n" + b"b." * 2_000 + b"c = 1", "no recipe|not TOML|unknown entry"),
        (b"seed = " + b"1" * 10_000, "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_hostile_toml_is_a_sentence(tmp_path, text, words):
    (tmp_path / "recipe.toml").write_bytes(text)
    with pytest.raises(OptionError, match=words):
        Recipe.load(tmp_path / "recipe.toml")
