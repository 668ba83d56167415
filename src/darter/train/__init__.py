"""Training: from a recipe and pictures to a trained net and a proven model file.

recipe = Recipe(epochs=5)                                # or Recipe.load("recipe.toml")
fitted = fit(model, strategy, recipe, train, val, RUN, augment=…, preprocess=…)
calibration = val.task.calibrate(fitted.val_logits, val.targets)
parity = export(fitted.model, RUN / "model.onnx", info, pictures)
"""

from darter.errors import MissingExtraError
from darter.extras import install_line

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError(f"darter.train needs PyTorch: {install_line('train')}") from error

from darter.train.classifier import ClassifierTraining
from darter.train.compiled import CompiledNet, compiled
from darter.train.device import candidate_precisions, choose_device, computing, move, place
from darter.train.examples import Examples
from darter.train.explain import explain
from darter.train.export import Parity, export
from darter.train.exported import Strangeness
from darter.train.fit import fit
from darter.train.heat_maps import last_block, overlay, positions
from darter.train.loop import Loop
from darter.train.loss import CrossEntropy, Loss
from darter.train.memory import OutOfMemory, enough_memory, out_of_memory
from darter.train.one_pass import OnePass
from darter.train.optimizer import optimizer_of, set_rates, settle_recipe, settle_strategy
from darter.train.pictures import make_augment, make_preprocess, usual_augment
from darter.train.plan import Plan, Speed
from darter.train.position import learned_state
from darter.train.progress import TrainingBar, clock, figures
from darter.train.recipe import Recipe, spell_out
from darter.train.seeds import generator, reseed
from darter.train.step import Diverged, Lost, Outcome, Step
from darter.train.stop import Interrupted, StopSignal, sigterm_interrupts
from darter.train.strange import features_of, measure_strangeness, seen_by
from darter.train.training import Fitted, Training
from darter.train.trial import Trials, start_model
from darter.train.world import Batches, World

__all__ = [
    "Batches",
    "ClassifierTraining",
    "CompiledNet",
    "CrossEntropy",
    "Diverged",
    "Examples",
    "Fitted",
    "Interrupted",
    "Loop",
    "Loss",
    "Lost",
    "OnePass",
    "OutOfMemory",
    "Outcome",
    "Parity",
    "Plan",
    "Recipe",
    "Speed",
    "Step",
    "StopSignal",
    "Strangeness",
    "Training",
    "TrainingBar",
    "Trials",
    "World",
    "candidate_precisions",
    "choose_device",
    "clock",
    "compiled",
    "computing",
    "enough_memory",
    "explain",
    "export",
    "features_of",
    "figures",
    "fit",
    "generator",
    "last_block",
    "learned_state",
    "make_augment",
    "make_preprocess",
    "measure_strangeness",
    "move",
    "optimizer_of",
    "out_of_memory",
    "overlay",
    "place",
    "positions",
    "reseed",
    "seen_by",
    "set_rates",
    "settle_recipe",
    "settle_strategy",
    "sigterm_interrupts",
    "spell_out",
    "start_model",
    "usual_augment",
]
