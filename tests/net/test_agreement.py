"""Nets of torchvision and timm give the same answers in darter as in PyTorch."""

import pytest

from bench.agreement import EXPORTERS, NETS, agreement

QUICK = [("mobilenet_v3_small", "torchscript"), ("shufflenet_v2_x0_5", "torchscript")]


@pytest.mark.parametrize(("net", "exporter"), QUICK)
def test_small_nets_agree(net, exporter):
    found = agreement(net, exporter)
    assert found.holds, found


@pytest.mark.slow
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("net", NETS)
def test_every_net_agrees(net, exporter):
    found = agreement(net, exporter)
    assert found.float32_holds, found
    if net.startswith("timm/") and "efficientnet_lite" in net and not found.holds:
        pytest.xfail(f"these random nets amplify every rounding to bfloat16: {found}")
    assert found.holds, found
