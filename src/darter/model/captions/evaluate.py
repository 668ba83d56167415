"""Judge sentences about pictures that people have written about, too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Captions, Sample
from darter.errors import DataError
from darter.model.captions.captioner import Captioner
from darter.model.captions.scores import ORDERS, ciders, corpus_bleu, rouge_l
from darter.model.captions.words import words_of

RESAMPLES = 200
MEASURES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "exact")


@dataclass(frozen=True)
class CaptionEvaluation:
    """What sentences are worth on `n` pictures.

    scores: see MEASURES; exact: share of sentences that a person wrote word by word.
    intervals: 95%, pictures drawn with replacement.   pictures: a record for each.
    """

    n: int
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    pictures: tuple[dict[str, Any], ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    def to_json(self, *, split: str = "test") -> dict[str, Any]:
        return {
            "task": "caption", "split": split, "n": self.n, "measure": "BLEU-4",
            "accuracy": self.scores["bleu_4"], "interval": list(self.intervals["bleu_4"]),
            **self.scores,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "predictions": list(self.pictures),
            "unreadable": [list(pair) for pair in self.unreadable],
        }  # fmt: skip


def judge_sentences(
    truths: Sequence[Sequence[str]], found: Sequence[str], names: Sequence[str], *, seed: int = 0
) -> CaptionEvaluation:
    """Hold sentences against those that people wrote, with intervals over pictures."""
    exact = np.array([_is_exact(t, f) for t, f in zip(truths, found, strict=True)], np.float64)
    rouge = np.array([rouge_l(t, f) for t, f in zip(truths, found, strict=True)])
    cider = ciders(truths, found)

    def scores(which: NDArray[np.int64]) -> dict[str, float]:
        some, said = [truths[k] for k in which], [found[k] for k in which]
        bleus = {f"bleu_{order}": corpus_bleu(some, said, order) for order in ORDERS}
        means = {"rouge_l": rouge, "cider": cider, "exact": exact}
        return bleus | {name: float(values[which].mean()) for name, values in means.items()}

    random, count = np.random.default_rng(seed), len(found)
    drawn = [scores(random.integers(0, count, count)) for _ in range(RESAMPLES)]
    ends = {m: np.quantile([each[m] for each in drawn], (0.025, 0.975)) for m in MEASURES}
    records = tuple(
        {"path": name, "caption": said, "true": list(true), "cider": round(float(value), 4),
         "exact": bool(right)}
        for name, said, true, value, right in zip(names, found, truths, cider, exact, strict=True)
    )  # fmt: skip
    intervals = {name: (float(low), float(high)) for name, (low, high) in ends.items()}
    return CaptionEvaluation(count, scores(np.arange(count)), intervals, records)


def _is_exact(truths: Sequence[str], found: str) -> bool:
    return any(words_of(text) == words_of(found) for text in truths)


def evaluate_captions(
    captioner: Captioner,
    samples: Sequence[Sample],
    *,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CaptionEvaluation:
    """Caption pictures and hold the sentences against those of their samples.

    Raises DataError where none of the pictures can be read.
    """
    truths, found, shown, unreadable = [], [], [], []
    answers = captioner.caption([sample.path for sample in samples])
    for done, (sample, answer) in enumerate(zip(samples, answers, strict=True), 1):
        name = names[done - 1] if names else str(sample.path)
        if answer.sentence is None:
            unreadable.append((name, answer.error or ""))
            continue
        assert isinstance(sample.target, Captions)
        truths.append(sample.target.sentences)
        found.append(answer.sentence)
        shown.append(name)
        if progress:
            progress(done, len(samples))
    if not found:
        raise DataError(f"none of the {len(samples)} pictures can be read; {unreadable[:1]}")
    judged = judge_sentences(truths, found, shown)
    return CaptionEvaluation(
        judged.n, judged.scores, judged.intervals, judged.pictures, tuple(unreadable)
    )
