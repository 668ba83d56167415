"""The Python in docs/convolutions.md runs."""

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "convolutions.md"


def test_python_of_the_page(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    for block in blocks:
        exec(textwrap.dedent(block), names)
    assert len(blocks) == 3
    assert names["y"].shape == (1, 128, 56, 56)
    assert names["product"].shape == (128, 128)
    assert "products of" in capsys.readouterr().out
