import json
from types import SimpleNamespace

import pytest
import torch

from darter.bench import compare_training, training
from darter.bench.training_steps import difference, untrained
from darter.cli.app import main
from darter.errors import UnsupportedError

TINY = "test_resnet"  # timm's net for tests


def test_the_command_compares_training_steps(tmp_path, capfd):
    out, plot = tmp_path / "rows.jsonl", tmp_path / "steps.svg"
    options = ["--batches", "2", "--rounds", "1", "--runtimes", "eager", "--threads", "1"]
    with pytest.raises(SystemExit) as end:
        main(
            ["bench", "--training", "--net", TINY, *options, "--out", str(out), "--plot", str(plot)]
        )
    assert not end.value.code
    printed = capfd.readouterr().out
    assert f"{TINY}, training on 2 pictures" in printed
    assert "geometric mean" in printed
    ours, theirs = map(json.loads, out.read_text().splitlines())
    assert (ours["runtime"], theirs["runtime"]) == ("darter", "eager")
    for row in (ours, theirs):
        assert row["min_ms"] <= row["ms"] <= row["max_ms"]
        assert row["memory"] > 0
        assert row["error"] < 1e-2
    assert ours["speedup"] == pytest.approx(theirs["ms"] / ours["ms"])
    assert plot.stat().st_size > 0


def test_steps_in_16_bits_are_compared():
    found = compare_training(TINY, 2, (), precision="bfloat16", threads=1, rounds=1, steps=1)
    assert found.ours.precision == "bfloat16"
    assert 1e-4 < found.ours.error < 0.3


@pytest.mark.parametrize(("theirs", "limit"), [(0.02, 0.03), (0.4, 0.5)])
def test_16_bits_may_err_little_more_than_pytorchs_own(monkeypatch, theirs, limit):
    """And never so much that a wrong computation would pass."""
    given = {}

    def in_turns(commands, rounds, amount):
        given.update((name, float(command[-1])) for name, command in commands.items())
        error = theirs if next(iter(commands.values()))[-3] == "bfloat16" else 0.0
        told = {"error": error, "load_s": 1.0, "peak_mb": 2.0, "before_mb": 1.0}
        workers = [SimpleNamespace(runtime=n, told=told, times=[[1.0] * 3]) for n in commands]
        return workers, {}

    monkeypatch.setattr(training, "in_turns", in_turns)
    compare_training(TINY, 2, (), precision="bfloat16", threads=1)
    assert given["darter"] == pytest.approx(limit)
    compare_training(TINY, 2, (), threads=1)
    assert given["darter"] == pytest.approx(0.1)


def test_a_net_that_cannot_be_trained_is_a_sentence():
    with pytest.raises(UnsupportedError, match="PyTorch cannot train no_such_net: Unknown model"):
        compare_training("no_such_net", 2, (), threads=1)


def test_nets_have_no_dropout_and_lie_beside_corners_and_differences_are_relative():
    net, side = untrained("torchvision/alexnet")
    assert side == 224
    assert net.training
    assert all(layer.p == 0 for layer in net.modules() if isinstance(layer, torch.nn.Dropout))
    net, _ = untrained(TINY)
    norms = [layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert norms and all((norm.bias == 1).all() for norm in norms)
    wanted = [torch.tensor([3.0, 0.0]), torch.tensor([4.0])]
    assert difference([torch.tensor([3.0, 0.5]), torch.tensor([4.0])], wanted) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--net", "lenet"], "there is no net 'lenet' to train; give names of timm"),
        (["--runtimes", "openvino"], "no runtime 'openvino' trains here; choose from eager"),
        (["--seconds", "3"], "--seconds is for nets in use; leave it out with --training"),
        (["model.onnx"], "--training takes names of nets by --net, not model.onnx"),
        (["--precision", "int8"], "--precision int8 is for whole nets in use, not for conv or"),
        (["conv"], "--training is for whole nets; leave it out with conv"),
    ],
)
def test_mistakes_are_named(arguments, says, capfd):
    with pytest.raises(SystemExit) as end:
        main(["bench", "--training", *arguments])
    assert end.value.code == 2
    assert says in " ".join(capfd.readouterr().err.split())
