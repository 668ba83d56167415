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
    scored, count = _Scored(truths, found), len(found)
    drawn = [scored.scores(which) for which in _redrawn(count, seed)]
    intervals = {name: _ends([each[name] for each in drawn]) for name in MEASURES}
    records = tuple(
        {"path": name, "caption": said, "true": list(true), "cider": round(float(value), 4),
         "exact": bool(right)}
        for name, said, true, value, right
        in zip(names, found, truths, scored.cider, scored.exact, strict=True)
    )  # fmt: skip
    return CaptionEvaluation(count, scored.scores(np.arange(count)), intervals, records)


def compare_sentences(
    truths: Sequence[Sequence[str]],
    found: Sequence[str],
    others: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """By how much `found` is better than `others` in each of MEASURES: difference, interval.

    The interval (95%) is of the difference on the same pictures, drawn with replacement for both
    at once (paired bootstrap; Koehn, "Statistical significance tests for machine translation
    evaluation", EMNLP 2004): pictures that are hard are hard for both. Intervals of two scores
    may overlap where one is clearly better.
    """
    pair = _Scored(truths, found), _Scored(truths, others)

    def differences(which: NDArray[np.int64]) -> dict[str, float]:
        ours, theirs = (each.scores(which) for each in pair)
        return {name: ours[name] - theirs[name] for name in MEASURES}

    whole = differences(np.arange(len(found)))
    drawn = [differences(which) for which in _redrawn(len(found), seed, resamples)]
    return {
        name: {"difference": whole[name], "interval": list(_ends([d[name] for d in drawn]))}
        for name in MEASURES
    }


class _Scored:
    """Sentences held against the true ones; `scores` are of any choice of pictures."""

    def __init__(self, truths: Sequence[Sequence[str]], found: Sequence[str]) -> None:
        pairs = list(zip(truths, found, strict=True))
        self.truths, self.found = truths, found
        self.exact = np.array([_is_exact(t, f) for t, f in pairs], np.float64)
        self.rouge = np.array([rouge_l(t, f) for t, f in pairs])
        self.cider = ciders(truths, found)

    def scores(self, which: NDArray[np.int64]) -> dict[str, float]:
        """Each of MEASURES over the pictures with these numbers, which may repeat."""
        some, said = [self.truths[k] for k in which], [self.found[k] for k in which]
        bleus = {f"bleu_{order}": corpus_bleu(some, said, order) for order in ORDERS}
        means = {"rouge_l": self.rouge, "cider": self.cider, "exact": self.exact}
        return bleus | {name: float(values[which].mean()) for name, values in means.items()}


def _redrawn(count: int, seed: int, times: int = RESAMPLES) -> list[NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return [random.integers(0, count, count) for _ in range(times)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


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
