"""The recipe: every choice of a training run, by name, in one value and one TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from darter.errors import DataError, OptionError
from darter.files import write_atomic
from darter.train.rules import (
    auto_or,
    entry,
    flag,
    names_or_tables,
    note,
    number,
    one_of,
    positive,
    precision,
    rule,
    text,
    whole,
)
from darter.train.toml import to_toml


@dataclass(frozen=True)
class Recipe:
    """How to train: `Recipe()`, `Recipe(epochs=5)`, `Recipe.load("recipe.toml")`.

    Every entry, its meaning and its default are in the file that `save` writes. "auto" entries
    are measured or derived when the run starts, and the run saves the recipe with what it chose.

    Raises OptionError for a value outside an entry's range, and for an unknown entry in a file,
    naming the nearest one.
    """

    strategy: str = entry(
        "auto", 'what to train: "auto" races the strategies, or one by name', text
    )
    backbone: str = entry(
        "efficientnet_lite0",
        'the pretrained network to start from; "auto": of those at hand, what is worth its cost',
        text,
    )
    weights: str = entry("", "a local weights file for the backbone; empty: its usual ones", text)
    detector: str = entry("auto", "of pictures with boxes: which kind of net finds things", text)
    size: int | Literal["auto"] = entry(
        "auto",
        'input pixels on each side; "auto": what the backbone was trained with',
        auto_or(whole(8, 1024)),
    )
    crop: str = entry(
        "center",
        '"center" crops, "squash" ignores the aspect ratio, "pad" adds borders',
        one_of("center", "squash", "pad"),
    )
    layers: str = entry(
        "auto",
        'what the head of a retrained net reads: the "last" layer or "all" layers; "auto": all '
        "where a linear probe on all of them is clearly better",
        one_of("auto", "last", "all"),
    )
    dropout: float | Literal["auto"] = entry(
        "auto",
        "share of the head's inputs dropped; \"auto\": the strategy's",
        auto_or(number(0, 1, below=True)),
    )
    norm_statistics: str = entry(
        "auto",
        'batch norms of learning blocks: "frozen" keep their statistics, "updated" follow the '
        'pictures; "auto": the strategy\'s',
        one_of("auto", "frozen", "updated"),
    )

    recompute_norms: str = entry(
        "no",
        'batch norms\' statistics from the training pictures: "no", "before" training (pictures '
        'unlike those of pretraining) or "after" it (for averaged weights)',
        one_of("no", "before", "after"),
    )
    dropconnect: float = entry(
        0.0,
        "share of the head's weights dropped, instead of its inputs; 0: off",
        number(0, 1, below=True),
    )
    dropconnect_convolutions: float = entry(
        0.0, "share of the learning filters' weights dropped; 0: off", number(0, 1, below=True)
    )
    spatial_dropout: float = entry(
        0.0, "share of the learning blocks' channels dropped; 0: off", number(0, 1, below=True)
    )
    stochastic_depth: float = entry(
        0.0,
        "share of pictures that skip the last learning residual branch; rises to it; 0: off",
        number(0, 1, below=True),
    )

    optimizer: str = entry("adamw", '"adamw" or "sgd"', one_of("adamw", "sgd"))
    momentum: float = entry(0.9, "SGD's momentum, or AdamW's first beta", number(0, 1, below=True))
    learning_rate: float | Literal["auto"] = entry(
        "auto", 'peak rate of the top block; "auto": measured', auto_or(positive(100))
    )
    layer_decay: float | Literal["auto"] = entry(
        "auto",
        'factor on the rate for each block towards the stem; "auto": the strategy\'s',
        auto_or(positive(1)),
    )
    head_multiplier: float | Literal["auto"] = entry(
        "auto", 'factor on the rate of the head; "auto": the strategy\'s', auto_or(positive(1000))
    )
    weight_decay: float = entry(
        0.01, "pull of the weights towards 0 (not biases, not norms)", number(0, 10)
    )
    clip_gradient: float = entry(
        1.0, "largest norm of a step's gradient; 0: unlimited", number(0, 1e6)
    )

    epochs: int | Literal["auto"] = entry(
        "auto",
        'passes over the training pictures; "auto": by their number and the time',
        auto_or(whole(1, 100_000)),
    )
    batch_size: int | Literal["auto"] = entry(
        "auto", 'pictures in a batch; "auto": the strategy\'s', auto_or(whole(1, 65_536))
    )
    accumulate: int = entry(1, "batches per optimizer step", whole(1, 4096))
    warmup: float = entry(0.1, "share of the steps in which the rate rises from 0", number(0, 1))
    schedule: str = entry(
        "cosine",
        'after the warm-up: "cosine" falls to 0, "constant" stays',
        one_of("cosine", "constant"),
    )
    label_smoothing: float = entry(
        0.1, "share of each target spread over all classes", number(0, 1, below=True)
    )
    class_balance: str = entry(
        "auto",
        'rare classes: "weights" in the loss, "sampling" more often, "none"; "auto": weights where '
        "one class has 3 times the pictures of another",
        one_of("auto", "weights", "sampling", "none"),
    )
    mixup: float = entry(0.0, "alpha of mixup (blends pairs of pictures); 0: off", number(0, 10))
    cutmix: float = entry(0.0, "alpha of CutMix (pastes rectangles); 0: off", number(0, 10))
    ema: float = entry(
        0.99,
        "decay per step of the averaged weights that are kept; 0: off",
        number(0, 1, below=True),
    )
    ensemble: int = entry(
        1,
        "models in one file, trained in one budget; they differ by seed and pictures left out",
        whole(1, 20),
    )
    ensemble_backbones: str = entry(
        "",
        "nets that the models beside the first start from, in turn, such as "
        '"efficientnet_lite1, efficientnet_lite2"; "auto": all others at hand; empty: the same net',
        text,
    )
    ensemble_kept: str = entry(
        "if it helps",
        'the models beside the first: "if it helps", measured on the validation pictures, or '
        '"always"',
        one_of("if it helps", "always"),
    )
    keep_draws: int = entry(
        0,
        "draws of the head's dropout or DropConnect that are written into the file, for "
        "`--over dropout:N`; 0: none",
        whole(0, 64),
    )
    swa: float = entry(
        0.0,
        "share of the steps, at the end, whose weights are averaged alike, not by ema; 0: off",
        number(0, 1),
    )
    soup: int = entry(
        0,
        "so many of the best epochs may join a greedy soup of weights; 0: off",
        whole(0, 100),
    )
    patience: int | Literal["auto"] = entry(
        "auto",
        "epochs without a gain on the validation pictures before stopping, keeping the best; "
        '"auto": 10, or half of all epochs if that is more; 0: train every epoch, keep the last',
        auto_or(whole(0, 100_000)),
    )

    precision: str = entry(
        "auto",
        '"float32", "bfloat16", "float16", or fixed point with stochastic rounding such as '
        '"fixed<2,14>" ("fixed<2,14,nearest>"); "auto": the fastest that this device is good at',
        precision,
    )
    compute: str = entry(
        "auto",
        'what runs training steps on a CPU: "pytorch", "darter" (its compiled core, in float32 or '
        'bfloat16), or "auto": the core where a step is measured to be faster and the training is '
        "a long one",
        one_of("auto", "pytorch", "darter"),
    )
    weights_in: str = entry(
        "float32",
        'how AdamW keeps weights: "float32", or "bfloat16" alone, with stochastic rounding, in '
        "half the memory (computes in bfloat16)",
        one_of("float32", "bfloat16"),
    )
    channels_last: bool = entry(True, "memory order of pictures and weights", flag)
    device: str = entry(
        "auto",
        '"cpu", "cuda", "mps" or "auto": what is there',
        one_of("auto", "cpu", "cuda", "mps"),
    )
    threads: int | Literal["auto"] = entry(
        "auto", 'threads for computing; "auto": one per core', auto_or(whole(1, 4096))
    )
    seed: int = entry(0, "the same seed gives the same bits", whole(0, 2**63 - 1))

    augment: Mapping[str, Mapping[str, Any]] | str = entry(
        "default",
        "random changes of the training pictures, all in one resampling; a ready-made set by name "
        '("none", "light", "default", "small", "strong"), or a table for each change',
        names_or_tables,
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            expected = rule(item)(value)
            if expected is not None:
                raise OptionError(f"recipe: {item.name} = {value!r}; expected {expected}")
        if self.mixup and self.cutmix:
            raise OptionError("recipe: mixup and cutmix are both on; set one of them to 0")
        if self.optimizer == "sgd" and self.learning_rate == "auto":
            raise OptionError(
                'recipe: learning_rate = "auto" measures rates for "adamw"; for "sgd" give a '
                "number, such as 0.01"
            )
        if self.weights_in == "bfloat16":
            if self.optimizer != "adamw" or self.precision not in ("auto", "bfloat16"):
                raise OptionError(
                    'recipe: weights_in = "bfloat16" needs optimizer = "adamw" and precision = '
                    f'"bfloat16" (or "auto"), got "{self.optimizer}" and "{self.precision}"'
                )
            object.__setattr__(self, "precision", "bfloat16")
        object.__setattr__(self, "augment", spell_out(self.augment))

    @classmethod
    def load(cls, path: Path | str) -> "Recipe":
        """Read a recipe from a TOML file; entries that it lacks keep their defaults."""
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read the recipe {path}: {error.strerror}") from error
        except RecursionError:
            raise OptionError(f"{path} is no recipe: it is nested too deeply") from None
        except ValueError as error:  # of TOML, of UTF-8, or of a number with too many digits
            raise OptionError(f"{path} is not TOML: {error}") from error
        return cls.from_dict(content)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> "Recipe":
        """A recipe with these entries; an unknown one is an OptionError that names the nearest."""
        known = [item.name for item in fields(cls)]
        for name in entries:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"entries: {', '.join(known)}"
                raise OptionError(f"recipe: unknown entry {name!r}; {hint}")
        return cls(**entries)

    def replace(self, **entries: Any) -> "Recipe":
        """A copy with other values, checked like a new recipe."""
        return self.from_dict({**self.to_dict(), **entries})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_toml(self) -> str:
        """TOML with a comment on every entry; `load` reads it back to an equal recipe."""
        return to_toml(self.to_dict(), {item.name: note(item) for item in fields(self)})

    def save(self, path: Path | str) -> None:
        write_atomic(Path(path), self.to_toml())


def spell_out(augment: Mapping[str, Mapping[str, Any]] | str) -> dict[str, dict[str, Any]]:
    """Every change with every one of its options. OptionError for an unknown or unusable one."""
    from darter.picture import SETS, options_of, transform

    if isinstance(augment, str):
        if augment not in SETS:
            raise OptionError(f"recipe: augment = {augment!r}; the sets are {', '.join(SETS)}")
        augment = SETS[augment]
    return {name: options_of(transform(name, options)) for name, options in augment.items()}
