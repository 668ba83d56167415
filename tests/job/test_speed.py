"""How fast and large a finished model is."""

from types import SimpleNamespace

import numpy as np
import torch

from darter.job import speed


class Session:
    runtime, precision = "darter", "bfloat16"

    def __init__(self, name, order):
        self.name, self.order = name, order

    def run(self, images):
        assert images.dtype == np.float32 and images.shape[1:] == (3, 8, 8)
        self.order.append((self.name, len(images)))


def test_the_model_and_the_one_before_are_timed_in_turns(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    monkeypatch.setattr(speed, "load", lambda path: Session(path.stem, order))
    about = SimpleNamespace(preprocess=SimpleNamespace(sides=(8, 8)))
    monkeypatch.setattr(speed, "read_info", lambda path: about)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"0" * 12_345)
    net = torch.nn.Conv2d(3, 4, 3, bias=False)
    record = speed.measure_speed(path, net, before=tmp_path / "trained.onnx")
    sizes = [("model", 1), ("model", 8), ("trained", 1), ("trained", 8)]
    assert order[:4] == sizes, "each once before any is timed"
    assert order[4:12] == [run for run in sizes for _ in range(2)], "warmed, then timed"
    for key in ("milliseconds", "milliseconds_before"):
        assert set(record[key]) == {"batch_1", "batch_8"}
        assert all(f["min"] <= f["median"] <= f["max"] for f in record[key].values())
    assert (record["weights"], record["multiply_adds"]) == (108, 108 * 36)
    assert record["file_megabytes"] == 0.01 and record["precision"] == "bfloat16"
    assert "milliseconds_before" not in speed.measure_speed(path, net)
