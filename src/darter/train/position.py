"""Where a training run stands, and which tensors it changes."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from darter.train.plan import Plan


@dataclass
class Position:
    """Everything about a run but its tensors and its plan; plain values only.

    epoch: epochs finished.   batch: batches done in the epoch under way.
    loss, correct, seen: sums over the pictures of the epoch under way.
    ended: why training is over, or "" while it is not.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    correct: float = 0
    seen: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    waited: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    ended: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)

    def close_epoch(
        self, plan: Plan, rate: float, val_accuracy: float | None, val_loss: float | None
    ) -> None:
        """Append the record of the epoch under way to the history, and begin the next one."""
        trained = self.seen > 0
        self.history.append(
            {
                "stage": "final",
                "epoch": self.epoch,
                "epochs": plan.epochs,
                "step": self.step,
                "loss": self.loss / self.seen if trained else None,
                "train_accuracy": self.correct / self.seen if trained else None,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "learning_rate": rate if trained else None,
                "pictures_per_second": self.seen / self.epoch_seconds if trained else None,
                "seconds": self.seconds,
                "waited_seconds": self.waited,
            }
        )
        self.batch = self.correct = self.seen = 0
        self.loss = self.epoch_seconds = self.waited = 0.0


def learned_state(model: nn.Module) -> dict[str, Tensor]:
    """The tensors that training changes, by name: those with gradients, statistics in use.

    The model must be in the mode in which it trains.
    """
    learned = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    for owner, module in model.named_modules(remove_duplicate=True):
        if module.training:
            for name, buffer in module.named_buffers(recurse=False):
                learned[f"{owner}.{name}" if owner else name] = buffer
    return learned
