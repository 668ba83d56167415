"""What is said about missing parts can be typed as it stands."""

import json
import shlex
from importlib.metadata import Distribution, distribution

import pytest

from darter import extras
from darter.extras import install_line, packages


class Installed(Distribution):
    """darter's own metadata, installed from elsewhere."""

    def __init__(self, url):
        self.url = url

    def read_text(self, filename):
        if filename == "direct_url.json":
            return None if self.url is None else json.dumps({"url": self.url})
        return distribution("darter").read_text(filename)

    def locate_file(self, path):
        raise NotImplementedError


@pytest.mark.parametrize("name", ["a checkout with spaces", "darter-0.1.0-cp312-abi3.whl"])
def test_names_where_darter_came_from(tmp_path, monkeypatch, name):
    place = tmp_path / name
    place.mkdir()
    monkeypatch.setattr(extras, "own_distribution", lambda: Installed(place.as_uri()))
    assert shlex.split(install_line("train")) == ["pip", "install", f"{place}[train]"]


@pytest.mark.parametrize("url", [None, "file:///nowhere/at/all", "https://example.org/x.whl"])
def test_names_the_packages_where_that_is_gone(monkeypatch, url):
    monkeypatch.setattr(extras, "own_distribution", lambda: Installed(url))
    assert shlex.split(install_line("ort")) == ["pip", "install", "onnxruntime>=1.18"]
    assert "torch>=2.9" in shlex.split(install_line("train"))


def test_every_extra_has_packages():
    found = distribution("darter")
    for extra in ("ort", "train", "heic", "dev"):
        assert packages(found, extra)
