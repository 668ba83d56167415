"""How near sentences come to those of people: BLEU, ROUGE-L, CIDEr.

All compare the words of `words_of`; each picture has one or more true sentences.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.errors import MissingExtraError
from darter.extras import install_line
from darter.model.captions.words import words_of

SIGMA = 6.0  # words; CIDEr-D's penalty of a length that differs
BETA = 1.2  # ROUGE-L weighs recall more, as COCO's captions do
ORDERS = (1, 2, 3, 4)


def corpus_bleu(truths: Sequence[Sequence[str]], found: Sequence[str], order: int) -> float:
    """BLEU of all pictures together, n-grams of 1 to `order` words, by NLTK, without smoothing.

    Source: Papineni et al., ACL 2002. Raises MissingExtraError without NLTK.
    """
    try:
        from nltk.translate.bleu_score import corpus_bleu as bleu
    except ImportError:
        raise MissingExtraError(f"BLEU needs nltk: {install_line('train')}") from None
    import warnings

    with warnings.catch_warnings():  # that no n-gram is right is told by the score
        warnings.simplefilter("ignore")
        true = [[words_of(text) for text in texts] for texts in truths]
        return float(bleu(true, [words_of(text) for text in found], weights=(1 / order,) * order))


def rouge_l(truths: Sequence[str], found: str) -> float:
    """Longest common subsequence as an F-measure, of the true sentence that is nearest.

    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
    """
    words = words_of(found)
    best = 0.0
    for text in truths:
        true = words_of(text)
        common = _common(true, words)
        if common:
            precision, recall = common / len(words), common / len(true)
            f = (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
            best = max(best, f)
    return best


def _common(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for k, other in enumerate(b, 1):
            row[k], before = (before + 1 if word == other else max(row[k], row[k - 1])), row[k]
    return row[-1]


def ciders(truths: Sequence[Sequence[str]], found: Sequence[str]) -> NDArray[np.float64]:
    """CIDEr-D of each picture, (N,), 0 to 10: n-grams weighed by how rare they are among the
    pictures.

    Source: Vedantam et al., arXiv:1411.5726.
    """
    grams = [[_grams(text) for text in texts] for texts in truths]
    seen: Counter[tuple[str, ...]] = Counter()
    for texts in grams:
        seen.update({gram for text in texts for gram in text})
    total = math.log(max(len(truths), 1))

    def weighed(text: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        return {g: n * (total - math.log(max(1, seen[g]))) for g, n in text.items()}

    scores = np.zeros(len(found))
    for k, (texts, sentence) in enumerate(zip(grams, found, strict=True)):
        ours, length = weighed(_grams(sentence)), len(words_of(sentence))
        values = []
        for text, original in zip(texts, truths[k], strict=True):
            apart = length - len(words_of(original))
            values.append(_likeness(ours, weighed(text)) * math.exp(-(apart**2) / (2 * SIGMA**2)))
        scores[k] = 10 * float(np.mean(values)) if values else 0.0
    return scores


def _likeness(ours: dict[tuple[str, ...], float], true: dict[tuple[str, ...], float]) -> float:
    """Mean over n of the cosine of n-gram weights, ours cut to what is true."""
    found = []
    for order in ORDERS:
        a = {g: v for g, v in ours.items() if len(g) == order}
        b = {g: v for g, v in true.items() if len(g) == order}
        norm = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
        dot = sum(min(v, b[g]) * b[g] for g, v in a.items() if g in b)
        found.append(dot / norm if norm else 0.0)
    return sum(found) / len(ORDERS)


def _grams(sentence: str) -> "Counter[tuple[str, ...]]":
    words = words_of(sentence)
    return Counter(
        tuple(words[k : k + order]) for order in ORDERS for k in range(len(words) - order + 1)
    )
