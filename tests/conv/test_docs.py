"""The Python in docs/convolutions.md runs."""

import re
import textwrap
from pathlib import Path

from darter.kernels import using_threads

PAGE = Path(__file__).parents[2] / "docs" / "convolutions.md"


def test_python_of_the_page(capsys):
    page = PAGE.read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    with using_threads(2):  # estimates are shown for two
        for block in blocks:
            exec(textwrap.dedent(block), names)
    assert len(blocks) == 4
    assert names["y"].shape == (1, 128, 56, 56)
    assert names["product"].shape == (128, 128)
    assert f"```\n{capsys.readouterr().out}```" in page
