"""Training of a classifier: what `fit` has to know of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Divide, Loader
from darter.picture import Augment
from darter.train.examples import Examples
from darter.train.loss import Loss, make_loss, settle_balance
from darter.train.pictures import evaluation_loader, training_loader
from darter.train.training import Training
from darter.train.validate import score
from darter.transfer import Classifier


@dataclass(frozen=True)
class ClassifierTraining(Training[Classifier, Examples, Augment]):
    """One run of training a classifier, for one label or several per picture."""

    @property
    def task(self) -> str:
        return self.train.task.name

    @property
    def outputs(self) -> int:
        return self.model.linear.out_features

    def balance(self) -> str:
        return settle_balance(self.recipe.class_balance, self.train.targets, self.outputs)

    def loader(self, balance: str, divide: Divide | None = None) -> Loader:
        return training_loader(
            self.train, self.augment, self.recipe, balance, self.cache, divide=divide
        )

    def validation(self) -> Loader:
        return evaluation_loader(self.val, self.preprocess, self.recipe, self.cache)

    def loss(self, balance: str) -> Loss:
        return make_loss(
            self.task,
            self.train.targets,
            self.outputs,
            smoothing=self.recipe.label_smoothing,
            balance=balance,
        )

    def judge(self, logits: NDArray[np.float32]) -> tuple[float, float]:
        return score(self.val.task, logits, self.val.targets)
