"""What a run writes down as it goes: metrics.jsonl, and TensorBoard events of the same figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darter.files import cannot_write, write_atomic
from darter.names import to_json

CURVES = {
    "loss": "loss/train",
    "val_loss": "loss/val",
    "train_accuracy": "accuracy/train",
    "val_accuracy": "accuracy/val",
    "learning_rate": "learning_rate",
    "pictures_per_second": "speed/pictures_per_second",
    "waited_seconds": "speed/waited_seconds",
}


class Recorder:
    """Writes to a run folder, or nowhere if that is None.

    A resumed run first drops what an interrupted one wrote after its last checkpoint, so that
    no epoch and no step appears twice.
    """

    def __init__(self, out: Path | None, history: Sequence[dict[str, Any]], step: int) -> None:
        """history: the epochs that stay written; step: the last step that does."""
        self._metrics = out / "metrics.jsonl" if out else None
        self._writer = None
        if out is None or self._metrics is None:
            return
        write_atomic(self._metrics, "".join(_line(record) for record in history))
        from torch.utils.tensorboard import SummaryWriter

        folder = out / "tensorboard"
        kept = _events(folder, step, history[-1]["step"] if history else -1)
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        self._writer = SummaryWriter(str(folder))
        for tag, value, at, when in kept:
            self._writer.add_scalar(tag, value, at, walltime=when)

    def step(self, step: int, loss: float, learning_rate: float) -> None:
        if self._writer:
            self._writer.add_scalar("step/loss", loss, step)
            self._writer.add_scalar("step/learning_rate", learning_rate, step)

    def epoch(self, record: dict[str, Any]) -> None:
        if self._metrics is None or self._writer is None:
            return
        try:
            with self._metrics.open("a") as file:
                file.write(_line(record))
        except OSError as error:
            raise cannot_write(self._metrics, error) from error
        for name, tag in CURVES.items():
            if record[name] is not None:
                self._writer.add_scalar(tag, record[name], record["step"])
        self._writer.flush()

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def _line(record: dict[str, Any]) -> str:
    return to_json(record) + "\n"


def _events(folder: Path, step: int, epoch_step: int) -> list[tuple[str, float, int, float]]:
    """(tag, value, step, time) of the scalars in a folder, in the order they were written: those
    of steps up to `step`, and those of epochs that ended at `epoch_step` or before."""
    if not folder.is_dir():
        return []
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                last = step if value.tag.startswith("step/") else epoch_step
                if event.step <= last:
                    scalar = value.tensor.float_val[0]
                    found.append((value.tag, scalar, event.step, event.wall_time))
    return found
