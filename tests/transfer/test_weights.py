import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from darter.errors import DataError
from darter.transfer import zoo
from darter.transfer.weights import fill, read_state


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s}])
def test_pth_files_in_their_usual_wrappings(tmp_path, wrap):
    net = Tiny()
    state = {f"module.{k}": v for k, v in net.state_dict().items()}
    torch.save(wrap(state), tmp_path / "w.pth")
    assert set(read_state(tmp_path / "w.pth")) == set(net.state_dict())


def test_classifier_in_the_file_is_ignored_and_the_rest_is_loaded(tmp_path):
    net, other = Tiny(), Tiny()
    state = {**net.state_dict(), "fc.weight": torch.zeros(7, 4), "fc.bias": torch.zeros(7)}
    save_file(state, tmp_path / "w.safetensors")
    fill(other, read_state(tmp_path / "w.safetensors"), tmp_path / "w.safetensors")
    assert torch.equal(net.first.weight, other.first.weight)


def test_what_does_not_fit_is_named_and_the_net_unchanged(tmp_path):
    net = Tiny()
    before = net.first.bias.clone()
    state = net.state_dict()
    del state["norm.weight"]
    state["first.weight"] = torch.zeros(5, 3)
    state["extra.weight"] = torch.zeros(1)
    message = (
        r"1 missing \(norm.weight\); 1 unexpected \(extra.weight\); "
        r"1 of another shape \(first.weight is \(5, 3\), expected \(4, 3\)\)"
    )
    with pytest.raises(DataError, match=message):
        fill(net, state, tmp_path / "w.pth")
    assert torch.equal(net.first.bias, before)


def test_values_that_are_not_finite_are_refused(tmp_path):
    state = Tiny().state_dict()
    state["first.weight"][0, 0] = torch.nan
    with pytest.raises(DataError, match=r"not finite: first.weight"):
        fill(Tiny(), state, tmp_path / "w.pth")


class Evil:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('owned').touch()",))


def test_a_pickle_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"weight": Evil()}))
    torch.save({"weight": Evil()}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(DataError, match=name):
            read_state(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02}q\x00."])
def test_files_that_are_no_weights(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_state(tmp_path / name)


def test_missing_file_and_wrong_net(tmp_path):
    with pytest.raises(DataError, match=r"does not exist"):
        zoo.load(weights=tmp_path / "none.pth")
    torch.save(Tiny().state_dict(), tmp_path / "tiny.pth")
    with pytest.raises(DataError, match=r"does not fit EfficientNet .*missing .*unexpected"):
        zoo.load(weights=tmp_path / "tiny.pth")
