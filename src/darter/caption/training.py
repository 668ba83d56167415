"""Training of a caption model: what `darter.train.fit` has to know of it."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from darter.caption.nets import Captioning, Decoder, Retrieval
from darter.dataset import Batch, Divide
from darter.model import PAD, Vocabulary, ciders, words_of
from darter.picture import Augment, draws
from darter.train import Recipe, Training
from darter.transfer import Strategy

_ORDER, _WHICH = 1, 3  # streams of random numbers: the order of pictures, which of its sentences
EVALUATION_BATCH = 16


@dataclass(frozen=True)
class OnFrozenFeatures(Strategy):
    """The decoder learns, the backbone stays as it is."""

    @property
    def is_probe(self) -> bool:
        return False


STRATEGY = OnFrozenFeatures(
    "attention-lstm",
    "an LSTM with soft attention on the pretrained network's feature map",
    cost=4,
    trains="none",
    start="random",
    learning_rates=(5e-4, 1e-3, 2e-3),
    dropout=0.4,
    batch_size=16,
    epochs=60,
)


@dataclass(frozen=True)
class CaptionExamples:
    """Grids of pictures and what people say of them: as `darter.train.Examples`.

    grids: float16 (N, L, channels).   sentences: one or more for each.   names: of the pictures.
    """

    grids: NDArray[np.float16]
    sentences: Sequence[tuple[str, ...]]
    names: Sequence[str]
    vocabulary: Vocabulary
    length: int

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def targets(self) -> NDArray[np.int64]:
        """(N,), nothing but the pictures' numbers."""
        return np.arange(len(self))

    def digest(self) -> str:
        """Of sentences and names."""
        digest = hashlib.sha256()
        for name, texts in zip(self.names, self.sentences, strict=True):
            digest.update("\0".join((name, *texts, "")).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


class CaptionLoader:
    """Batches of grids, each with one of its sentences, drawn anew in every epoch."""

    def __init__(
        self, known: CaptionExamples, batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        self.known, self.batch_size = known, batch_size
        self.seed, self.shuffle, self.waited = seed, shuffle, 0.0

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]:
        count, size = len(self.known), self.batch_size
        order = np.arange(count)
        if self.shuffle:
            order = draws(self.seed, epoch, 0, stream=_ORDER).permutation(count)
            order = order[: max(size, count // size * size)]
        for start in range(start_batch * size, len(order), size):
            yield self._batch(order[start : start + size], epoch)

    def _batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        rows = []
        for k in indices.tolist():
            texts = self.known.sentences[k]
            which = int(draws(self.seed, epoch, k, stream=_WHICH).integers(len(texts)))
            rows.append(self.known.vocabulary.numbers(texts[which], self.known.length))
        grids = self.known.grids[indices].astype(np.float32)
        return Batch(grids, np.array(rows), indices)


class CaptionLoss:
    """Cross-entropy of each next word given the true ones before it (teacher forcing).

    The sum over pictures of the mean over their words.
    """

    def __init__(self, decoder: Decoder, smoothing: float) -> None:
        self.decoder, self.smoothing, self._right = decoder, smoothing, 0.0

    def targets(self, given: Tensor) -> Tensor:
        return given

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """logits: the grids, as the model gives them in training."""
        longest = int((targets != PAD).sum(dim=1).max())
        words = targets[:, :longest]
        said, true = self.decoder.teach(logits, words).float(), words[:, 1:]
        there = true != PAD
        losses = cross_entropy(
            said.transpose(1, 2), true, ignore_index=PAD, reduction="none",
            label_smoothing=self.smoothing,
        )  # fmt: skip
        self._right = float(((said.argmax(dim=2) == true) & there).sum() / there.sum())
        return (losses.sum(dim=1) / there.sum(dim=1)).sum()

    def rightness(self, logits: Tensor, targets: Tensor) -> float:
        """Pictures times the share of next words that were guessed right."""
        return self._right * len(targets)


@dataclass(frozen=True)
class CaptionTraining(Training[Captioning, CaptionExamples, Augment]):
    """One run of training a decoder; grids are seen as they are, whatever `augment` says."""

    task = "caption"

    @property
    def outputs(self) -> int:
        return 1 + self.train.length

    def about(self) -> dict[str, Any]:
        words = "\0".join(self.train.vocabulary.words)
        return super().about() | {"words": hashlib.sha256(words.encode()).hexdigest()}

    def balance(self) -> str:
        return "none"

    def loader(self, balance: str, divide: Divide | None = None) -> CaptionLoader:
        size = int(self.recipe.batch_size)
        return CaptionLoader(self.train, size, seed=self.recipe.seed)

    def validation(self) -> CaptionLoader:
        return CaptionLoader(self.val, EVALUATION_BATCH, shuffle=False)

    def judge(self, logits: NDArray[np.float32]) -> tuple[float, None]:
        """CIDEr-D of the likeliest sentences, from 0 to 1 (a tenth of the usual scale)."""
        found = [self.train.vocabulary.sentence(rows[0, 1:]) for rows in logits]
        return float(ciders(self.val.sentences, found).mean()) / 10, None

    def loss(self, balance: str) -> CaptionLoss:
        return CaptionLoss(self.model.head, self.recipe.label_smoothing)


def settle(recipe: Recipe) -> tuple[Strategy, Recipe]:
    """Strategy and recipe with what suits captions where nothing else was asked for."""
    changes: dict[str, Any] = {"strategy": STRATEGY.name, "channels_last": False}
    if recipe.learning_rate == "auto":
        changes["learning_rate"] = STRATEGY.default_learning_rate
    if recipe.batch_size == "auto":
        changes["batch_size"] = STRATEGY.batch_size
    if recipe.precision == "auto":  # the decoder is small: shorter numbers gain nothing
        changes["precision"] = "float32"
    return replace(STRATEGY), recipe.replace(**changes)


def length_of(sentences: Sequence[tuple[str, ...]], *, most: int = 24) -> int:
    """Words that a sentence may have, END included: enough for 98 of 100."""
    lengths = [len(words_of(text)) for texts in sentences for text in texts]
    return int(min(most, np.quantile(lengths, 0.98, method="higher"))) + 1


def representative(texts: Sequence[str]) -> str:
    """Of what several people say of a picture, what is most like the others' words."""
    if len(texts) < 3:
        return texts[0]
    bags = [set(words_of(text)) for text in texts]

    def agreement(bag: set[str]) -> float:
        return sum(len(bag & other) / max(1, len(bag | other)) for other in bags)

    return texts[max(range(len(texts)), key=lambda k: agreement(bags[k]))]


def make_retrieval(
    model: Captioning, known: CaptionExamples, vocabulary: Vocabulary, length: int
) -> Retrieval:
    """The baseline, from the training pictures.

    vocabulary: must know every word of their sentences, so that nothing is lost.
    """
    features = torch.from_numpy(known.grids.astype(np.float32).mean(axis=1))
    rows = [vocabulary.numbers(representative(t), length)[1 : length + 1] for t in known.sentences]
    return Retrieval(model.backbone, features, torch.from_numpy(np.array(rows)))


@torch.no_grad()
def sentences_of(
    model: torch.nn.Module, grids: NDArray[np.float16], vocabulary: Vocabulary
) -> list[str]:
    """The likeliest sentence for each of N grids (N, L, channels)."""
    model.eval()
    found = []
    for start in range(0, len(grids), EVALUATION_BATCH):
        part = torch.from_numpy(grids[start : start + EVALUATION_BATCH].astype(np.float32))
        found += [vocabulary.sentence(rows[0, 1:]) for rows in model(part).numpy()]
    return found
