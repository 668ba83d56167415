import json

import pytest

from darter.bench import append_records
from darter.bench import convolutions as benchmark
from darter.conv import ConvSpec
from darter.errors import OptionError
from darter.kernels import Peak, measure_peak


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


def test_limit_is_the_products_or_the_bytes():
    spec = ConvSpec((1, 64, 56, 56), (64, 64, 3, 3), padding=1)
    fast_memory = Peak("any", 1, gflops=100.0, gigabytes=1e9)
    # F(6, 3): 10x10 tiles of 8x8 products each, against 9 products per output.
    assert benchmark.limit(spec, fast_memory) == pytest.approx(100 * 56**2 * 9 / (100 * 64))
    slow_memory = Peak("any", 1, gflops=1e9, gigabytes=1.0)
    raw_weights = 4e-9 * 9 * 64 * 64  # no algorithm packs them into less
    flops = 2e-9 * spec.multiply_adds
    assert benchmark.limit(spec, slow_memory) == pytest.approx(flops / raw_weights)


def test_records_carry_the_machine(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    tiny = [["1,3,12,12/16,3,3,3/padding=1", 1], ["1,16,12,12/16,16,3,3/padding=1", 2]]
    monkeypatch.setitem(benchmark.NETS, "tiny", tiny)
    record = benchmark.time_sequence("tiny", 2, seconds=0.01, max_error=1e-5)
    assert record.speedup == pytest.approx(record.torch_ms / record.darter_ms)
    assert sum(record.algorithms.values()) == 3
    file = tmp_path / "rows.jsonl"
    append_records(file, measure_peak(), [{"net": "tiny"}])
    row = json.loads(file.read_text())
    assert row["net"] == "tiny"
    assert row["cpu"]
    assert row["peak_gflops"] > 0
    assert row["read_gigabytes"] > 0
