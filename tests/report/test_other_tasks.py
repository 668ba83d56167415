"""The pages of detectors and caption models say what their records say."""

import json

import pytest

from darter.report import write_html

RUN = {"state": "done", "seconds": {"train": 9.0}, "started": "2026-01-01", "classes": ["cell"],
       "counts": {"train": 8, "val": 2, "test": 2}, "verdict": "It finds things."}  # fmt: skip
AUDIT = {"root": "cells", "classes": ["cell"], "pictures": 12, "objects": {"cell": 30},
         "counts": {"cell": {"unassigned": 11}}, "findings": []}  # fmt: skip
DETECTED = {
    "n": 2, "ap": 0.4, "ap50": 0.7, "intervals": {"ap50": [0.5, 0.9], "ap": [0.3, 0.6]},
    "per_class": [{"label": "<cell>", "things": 5, "found": 6, "ap50": 0.7, "ap": None,
                   "threshold": 0.4, "precision": 0.8, "recall": None, "count_error": 0.2,
                   "unmarked": 3, "count_error_if_there": 0.125}],
    "unmarked": [["<2>.jpg", 2], ["3.jpg", 1]],
    "curves": [{"label": "<cell>", "recall": [0.2, 0.8], "precision": [1.0, 0.6],
                "score": [0.9, 0.3]}],
}  # fmt: skip
MISSES = {"n": 2, "wrong": 1, "detections": [{"path": "<1>.jpg", "picture": "gallery/00.jpg",
          "missed": ["<cell>", "<cell>"], "false": []}]}  # fmt: skip
SCORES = {"bleu_1": 0.8, "bleu_2": 0.7, "bleu_3": 0.6, "bleu_4": 0.5, "rouge_l": 0.7, "cider": 3.8,
          "exact": 0.25}  # fmt: skip
ENDS = {name: [value / 2, min(value * 1.1, 9)] for name, value in SCORES.items()}
CAPTIONED = {"n": 2, **SCORES, "intervals": ENDS, "kept": "nearest-neighbour",
             "baseline": {"scores": SCORES, "intervals": ENDS}}  # fmt: skip
WRITTEN = {"n": 2, "captions": [{"path": "1.jpg", "picture": "gallery/00.jpg", "caption": "a <b>",
           "true": ["a cell"], "cider": 1.0, "exact": False}]}  # fmt: skip


def page(folder, task, evaluation, explain, measure):
    (folder / "model.onnx").write_bytes(b"")
    result = {"measure": measure, "accuracy": 0.7, "interval": [0.5, 0.9], "n": 2, "split": "test"}
    records = {"run": RUN | {"result": result}, "audit": AUDIT | {"task": task},
               "evaluation": evaluation, "explain": explain}  # fmt: skip
    for name, value in records.items():
        if value is not None:
            (folder / f"{name}.json").write_text(json.dumps(value))
    return write_html(folder).read_text()


def test_a_detector(tmp_path):
    text = page(tmp_path, "detect", DETECTED, MISSES, "AP50")
    assert "finds things with an AP50 of" in text
    assert "12 usable pictures with 30 boxes in 1 class" in text
    assert "&lt;cell&gt;" in text and "<cell>" not in text
    assert "missed: 2 &lt;cell&gt;" in text
    assert "In 2 pictures the model is sure of things that nobody marked (3 &lt;cell&gt;)" in text
    assert "&lt;2&gt;.jpg</code> (2)" in text and "off by: &lt;cell&gt; 12.5%" in text
    assert "darter detect" in text and "darter predict" not in text


def test_a_caption_model(tmp_path):
    text = page(tmp_path, "caption", CAPTIONED, WRITTEN, "BLEU-4")
    assert "sentences reach a BLEU-4 of" in text
    assert "repeats the sentence of the training picture" in text
    assert "3.80" in text and "a &lt;b&gt;" in text


@pytest.mark.parametrize("task", ["detect", "caption"])
def test_a_run_without_its_evaluation(tmp_path, task):
    assert "this was not measured" in page(tmp_path, task, None, None, "AP50")
