"""Training: from a recipe and pictures to a trained net and a proven model file.

recipe = Recipe(epochs=5)                                # or Recipe.load("recipe.toml")
fitted = fit(model, strategy, recipe, train, val, out=RUN)
calibration = calibrate(fitted.val_logits, val.labels)
parity = export(fitted.model, RUN / "model.onnx", info, pictures)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darter.train.calibrate import calibrate
    from darter.train.export import Parity, export
    from darter.train.fit import Examples, Fitted, fit
    from darter.train.pictures import make_augment, make_preprocess
    from darter.train.recipe import Recipe
    from darter.train.stop import Interrupted, StopSignal
    from darter.train.trial import make_trial

_WHERE = {
    "calibrate": "calibrate",
    "export": "export",
    "Parity": "export",
    "fit": "fit",
    "Examples": "fit",
    "Fitted": "fit",
    "make_augment": "pictures",
    "make_preprocess": "pictures",
    "Recipe": "recipe",
    "Interrupted": "stop",
    "StopSignal": "stop",
    "make_trial": "trial",
}
__all__ = [
    "Examples",
    "Fitted",
    "Interrupted",
    "Parity",
    "Recipe",
    "StopSignal",
    "calibrate",
    "export",
    "fit",
    "make_augment",
    "make_preprocess",
    "make_trial",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"darter.train.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'darter.train' has no attribute {name!r}")
