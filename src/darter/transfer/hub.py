"""Weights from public hubs: from this computer's cache, else from the network, failing fast."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from darter.errors import DataError

SECONDS_TO_ANSWER = 5


def timm_pretrained(name: str, offline_names: Callable[[], list[str]]) -> nn.Module:
    """A timm net with its published weights and no classifier."""
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is None or not (config.hf_hub_id or config.url):
        raise DataError(
            f"timm publishes no weights for {name}: give a file with --weights, "
            f"or choose {_known(offline_names())}."
        )
    if not _timm_cached(config):
        address = "https://huggingface.co" if config.hf_hub_id else str(config.url)
        _check_answers(name, address, offline_names)
    with _patience(), _explained(name, offline_names):
        return timm.create_model(name, pretrained=True, num_classes=0)


def torchvision_state(name: str, offline_names: Callable[[], list[str]]) -> dict[str, Tensor]:
    """The state dict that torchvision publishes for a net."""
    import torchvision

    weights = torchvision.models.get_model_weights(name).DEFAULT
    if not (_torch_checkpoints() / Path(urlsplit(weights.url).path).name).exists():
        _check_answers(name, weights.url, offline_names)
    with _patience(), _explained(name, offline_names):
        return weights.get_state_dict(progress=False, check_hash=True)


def cached_names() -> list[str]:
    """Names whose weights an earlier run (or another program) left on this computer."""
    import timm
    import torchvision

    found = []
    for name in timm.list_models(pretrained=True):
        config = timm.get_pretrained_cfg(name)
        if config is not None and _timm_cached(config):
            found.append(name)
    for name in torchvision.models.list_models(torchvision.models):
        url = torchvision.models.get_model_weights(name).DEFAULT.url
        if (_torch_checkpoints() / Path(urlsplit(url).path).name).exists():
            found.append(f"torchvision/{name}")
    return found


def _timm_cached(config) -> bool:
    from huggingface_hub import try_to_load_from_cache

    if config.hf_hub_id:
        files = ("model.safetensors", "pytorch_model.bin")
        return any(isinstance(try_to_load_from_cache(config.hf_hub_id, f), str) for f in files)
    return (_torch_checkpoints() / Path(urlsplit(config.url).path).name).exists()


def _torch_checkpoints() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _check_answers(name: str, address: str, offline_names: Callable[[], list[str]]) -> None:
    """Any answer of the host will do, e.g. "not found"; the download itself reports its errors."""
    host = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    request = urllib.request.Request(host, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        return
    except OSError as error:
        raise DataError(_out_of_reach(name, host, error, offline_names())) from error


@contextmanager
def _explained(name: str, offline_names: Callable[[], list[str]]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise DataError(_out_of_reach(name, "the hub", error, offline_names())) from error


@contextmanager
def _patience() -> Iterator[None]:
    """Give up on a silent connection, where a library sets no timeout of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(4 * SECONDS_TO_ANSWER)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _out_of_reach(name: str, host: str, error: Exception, offline: list[str]) -> str:
    reason = getattr(error, "reason", None) or str(error).split("\n")[0] or type(error).__name__
    return (
        f"the weights of {name} could not be fetched from {host} ({reason}). "
        f"Without a network, use {_known(offline)}, or give a file with --weights."
    )


def _known(offline: list[str]) -> str:
    return ", ".join(offline)
