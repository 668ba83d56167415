import json

import pytest

from darter.conv import ConvSpec, benchmark
from darter.errors import OptionError
from darter.kernels import measure_peak


def test_vgg_e_is_the_net_of_the_paper():
    layers = benchmark.net_layers("vgg-e", batch=2)
    assert sum(times for _, times in layers) == 16
    assert layers[0][0] == ConvSpec((2, 3, 224, 224), (64, 3, 3, 3), padding=1)
    flops = 2 * sum(spec.multiply_adds * times for spec, times in layers)
    assert flops == pytest.approx(2 * 39.0e9, rel=0.01)


@pytest.mark.parametrize("net", benchmark.NETS)
def test_every_layer_of_every_net_is_read(net):
    assert all(times >= 1 for _, times in benchmark.net_layers(net))


def test_unknown_net_is_named():
    with pytest.raises(OptionError, match="unknown net 'lenet'; choose from vgg-e"):
        benchmark.net_layers("lenet")


def test_records_carry_the_machine(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    tiny = [["1,3,12,12/16,3,3,3/padding=1", 1], ["1,16,12,12/16,16,3,3/padding=1", 2]]
    monkeypatch.setitem(benchmark.NETS, "tiny", tiny)
    record = benchmark.time_sequence("tiny", 2, seconds=0.01, max_error=1e-5)
    assert record.speedup == pytest.approx(record.torch_ms / record.darter_ms)
    assert sum(record.algorithms.values()) == 3
    file = tmp_path / "rows.jsonl"
    benchmark.append_records(file, measure_peak(), [{"net": "tiny"}])
    row = json.loads(file.read_text())
    assert row["net"] == "tiny"
    assert row["cpu"]
    assert row["peak_gflops"] > 0
    assert row["read_gigabytes"] > 0
