"""Sentences about pictures: words and their numbers, answers, and what they are worth."""

from darter.model.captions.captioner import Captioner, load_captioner
from darter.model.captions.evaluate import (
    CaptionEvaluation,
    compare_sentences,
    evaluate_captions,
    judge_sentences,
)
from darter.model.captions.scores import ciders, corpus_bleu, rouge_l
from darter.model.captions.sentence import Caption
from darter.model.captions.words import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary, words_of

__all__ = [
    "END",
    "PAD",
    "SPECIAL",
    "START",
    "UNKNOWN",
    "Caption",
    "CaptionEvaluation",
    "Captioner",
    "Vocabulary",
    "ciders",
    "compare_sentences",
    "corpus_bleu",
    "evaluate_captions",
    "judge_sentences",
    "load_captioner",
    "rouge_l",
    "words_of",
]
