"""The Python in docs/convolutions.md runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "convolutions.md"


def test_python_of_the_page(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["y"].shape == (1, 128, 56, 56)
    assert "products of" in capsys.readouterr().out
