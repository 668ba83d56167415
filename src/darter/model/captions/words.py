"""Sentences as words, and words as numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
MOST_WORDS = 10_000
LEAST_COUNT = 2  # a word that stands in one sentence alone cannot be learned
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(sentence: str) -> list[str]:
    """ "A dog's ball, red!" -> ["a", "dog's", "ball", "red"]: small letters, no punctuation."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows; their places are their numbers, the first are SPECIAL."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, sentences: Iterable[str], *, least: int = LEAST_COUNT) -> "Vocabulary":
        """The words that stand in at least so many sentences, the commonest first."""
        counts = Counter(word for sentence in sentences for word in set(words_of(sentence)))
        known = [w for w, n in sorted(counts.items(), key=lambda c: (-c[1], c[0])) if n >= least]
        return cls((*SPECIAL, *known[:MOST_WORDS]))

    def numbers(self, sentence: str, length: int) -> NDArray[np.int64]:
        """START, the words, END, then PAD, (length + 2,); words beyond `length` are cut off."""
        places = {word: k for k, word in enumerate(self.words)}
        known = [places.get(word, UNKNOWN) for word in words_of(sentence)][:length]
        row = np.full(length + 2, PAD, np.int64)
        row[: len(known) + 2] = (START, *known, END)
        return row

    def sentence(self, numbers: Sequence[int] | NDArray[np.integer]) -> str:
        """The words up to END; START and PAD say nothing."""
        found = []
        for number in map(int, numbers):
            if number == END:
                break
            if number not in (START, PAD):
                found.append(self.words[number])
        return " ".join(found)

    def unknown(self, sentences: Iterable[str]) -> tuple[int, int]:
        """(words that are not known, all words)."""
        known, words = set(self.words), [w for s in sentences for w in words_of(s)]
        return sum(word not in known for word in words), len(words)
