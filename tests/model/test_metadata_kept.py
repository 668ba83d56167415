"""Metadata that a release wrote is read by every later one: literal texts, as in the files."""

from darter.model.info import info_from_metadata

WRITTEN_BY = {
    "0.1.0": {
        "darter.task": '"classify"',
        "darter.classes": '["ants", "bees"]',
        "darter.preprocess": '{"size": 256, "resize": 292, "crop": "center", '
        '"mean": [0.498, 0.498, 0.498], "std": [0.502, 0.502, 0.502]}',
        "darter.calibration": '{"temperature": 0.87, "unknown_below": 0.575, "thresholds": []}',
        "darter.card": '{"strategy": "linear-probe", "seed": 0}',
    },
    "0.1.0, several labels": {
        "darter.task": '"multilabel"',
        "darter.classes": '["cat", "dog"]',
        "darter.preprocess": '{"size": [32, 100], "resize": 32, "crop": "pad", '
        '"mean": [0.4], "std": [0.2], "channels": 1}',
        "darter.calibration": '{"temperature": 1.5, "unknown_below": 0, "thresholds": [0.3, 0.6]}',
        "darter.card": "{}",
    },
}


def test_metadata_of_every_release_is_read():
    first, second = (info_from_metadata(texts, "m.onnx") for texts in WRITTEN_BY.values())
    assert (first.classes, first.task) == (("ants", "bees"), "classify")
    assert (first.preprocess.size, first.preprocess.resize) == (256, 292)
    assert (first.calibration.temperature, first.calibration.unknown_below) == (0.87, 0.575)
    assert (second.preprocess.shape, second.preprocess.crop) == ((1, 32, 100), "pad")
    assert second.calibration.thresholds == (0.3, 0.6)


def test_what_a_reader_does_not_know_is_left_alone():
    entries = WRITTEN_BY["0.1.0"] | {"darter.later": '{"anything": 1}'}
    assert info_from_metadata(entries, "m.onnx") == info_from_metadata(
        WRITTEN_BY["0.1.0"], "m.onnx"
    )
