"""Mosaics while a detector learns much, pictures as they are when it settles."""

from collections.abc import Callable, Generator

from darter.dataset import Batch
from darter.train import Batches

CALM = 0.85  # of the epochs, after which no picture is a mosaic


class CalmAtLast:
    """The batches of a training: lively ones first, calm ones in the last epochs.

    Mosaics show things at sizes and in company that no picture has; the last epochs, at a low
    rate, are for what pictures are like. Source: Ge et al., arXiv:2107.08430 (YOLOX).
    epochs: how many are planned now; plans change only between epochs, so that a resumed run
    takes the same batches.
    """

    def __init__(self, lively: Batches, calm: Batches, epochs: Callable[[], int]) -> None:
        self.lively, self.calm, self.epochs = lively, calm, epochs

    @property
    def waited(self) -> float:
        return self.lively.waited + self.calm.waited

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]:
        batches = self.calm if epoch >= CALM * self.epochs() else self.lively
        return batches.epoch(epoch, start_batch)
