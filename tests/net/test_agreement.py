"""Real nets give PyTorch's logits; all of them with `pytest -m slow`."""

import pytest

from bench.agreement import EXPORTERS, NETS, REFUSED, agreement, agreement_apart

QUICK = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "timm/levit_128s")


@pytest.mark.parametrize("net", QUICK)
def test_small_nets_agree(net):
    found = agreement(net, "torchscript")
    assert found.float32_holds, found


def test_bfloat16_agrees_where_a_net_does_not_amplify_roundings():
    found = agreement("resnet18", "torchscript")
    assert found.holds and not found.own, found


@pytest.mark.slow
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("net", NETS)
def test_every_net_agrees(net, exporter):
    """Or it is refused: another answer than PyTorch's is never given."""
    found = agreement_apart(net, exporter)
    print(found)  # `-rP` shows the table of docs/operations.md
    assert bool(found.refused) == (exporter in REFUSED.get(net, ())), found
    if found.refused:
        pytest.skip(str(found))
    assert found.holds, found
