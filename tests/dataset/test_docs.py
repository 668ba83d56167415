"""The Python in docs/data.md runs."""

import re
from pathlib import Path

import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def test_python_of_the_page(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    for label, color in (("ants", (200, 0, 0)), ("bees", (0, 0, 200))):
        Path("photos", label).mkdir(parents=True)
        Image.new("RGB", (300, 280), color).save(f"photos/{label}/1.jpg")
    batches, view = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict = {}
    exec(batches, names)
    assert names["images"].dtype == torch.bfloat16
    assert names["images"].shape == (2, 3, 224, 224)
    assert sorted(names["labels"].tolist()) == [0, 1]
    exec(view, names)
    assert names["images"].shape == (3, 224, 224)
