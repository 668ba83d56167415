"""The training step of a pretrained network, as `darter train` would run it."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from darter.dataset import Batch
from darter.doctor.job import Lighter
from darter.kernels import available_cpus
from darter.transfer import Classifier, zoo

if TYPE_CHECKING:
    from darter.doctor.job import Model

_RATE = 1e-4
_SHARE = 0.7  # of the size, where a smaller one is advised


class BackboneModel:
    """Forward, backward and update of every layer; precision "auto" is the faster one here.

    size: side of the pictures in pixels, None for the network's own.
    """

    def __init__(
        self,
        name: str,
        classes: int,
        *,
        batch_size: int,
        size: int | None = None,
        precision: str = "auto",
        device: str = "auto",
    ) -> None:
        torch.set_num_threads(available_cpus())
        self.name, self.classes, self.batch_size = name, classes, batch_size
        self.device = torch.device(_device() if device == "auto" else device)
        backbone = zoo.load(name)
        self.fixed_size = backbone.fixed_size
        self.mean, self.std = backbone.mean, backbone.std
        self.size = size or backbone.size
        self.model: nn.Module = Classifier(backbone, classes)
        self.model.to(self.device, memory_format=torch.channels_last).train()  # type: ignore
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=_RATE, momentum=0.9)
        self.seconds = {p: self._time(p) for p in self._precisions()}
        self.precision = min(self.seconds, key=lambda p: self.seconds[p])
        if precision != "auto":
            self.precision = precision

    def step(self, batch: Batch) -> object:
        images = torch.from_numpy(batch.images).to(self.device)
        labels = torch.from_numpy(batch.labels).to(self.device)
        self.optimizer.zero_grad()
        with self._casting():
            logits = self.model(images.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()  # waits for the device

    def lighter(self) -> "tuple[Lighter, ...]":
        return tuple(way for way in (self._other_precision(), self._smaller()) if way is not None)

    def _other_precision(self) -> Lighter | None:
        fastest = min(self.seconds, key=lambda p: self.seconds[p])
        speedup = self.seconds.get(self.precision, 0.0) / self.seconds[fastest]
        if speedup < 1.1:
            return None
        return Lighter(
            f'train in {fastest} (precision = "{fastest}" in the recipe)',
            speedup,
            lambda: self._changed(self.size, fastest),
            self.size,
        )

    def _smaller(self) -> Lighter | None:
        size = round(self.size * _SHARE / 32) * 32
        if self.fixed_size:
            return None
        return Lighter(
            f"train at a smaller size (--size {size}), or train fewer layers "
            "(--strategy fine-tune-last)",
            (self.size / size) ** 2,
            lambda: self._changed(size, self.precision),
            size,
        )

    def _changed(self, size: int, precision: str) -> "Model":
        return BackboneModel(
            self.name,
            self.classes,
            batch_size=self.batch_size,
            size=size,
            precision=precision,
            device=self.device.type,
        )

    def _precisions(self) -> tuple[str, ...]:
        if self.device.type == "mps":
            return ("float32",)
        return ("float32", "bfloat16")

    def _casting(self) -> AbstractContextManager:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _time(self, precision: str) -> float:
        """Seconds of a step: the better of two, after one to warm up."""
        self.precision = precision
        shape = (self.batch_size, 3, self.size, self.size)
        labels = np.zeros(self.batch_size, np.int64)
        batch = Batch(np.zeros(shape, np.float32), labels, labels)
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            self.step(batch)
            seconds.append(time.perf_counter() - began)
        return min(seconds[1:])


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
