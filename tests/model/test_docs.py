"""The Python in docs/predict.md runs."""

import re
from pathlib import Path

from tests.tiny_models import color_model, darter_model, picture, save

DOCS = Path(__file__).parents[2] / "docs" / "predict.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)


def test_python_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    darter_model(Path("model.onnx"), temperature=2.0)
    save(color_model(inputs=("n", 3, 224, 224), outputs=("n", 2)), Path("resnet50.onnx"))
    picture(Path("a.jpg"), (0, 255, 0))
    picture(Path("b.jpg"), (0, 0, 255))
    in_python, numbers, write = BLOCKS
    names: dict = {}
    exec(in_python + numbers, names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["a.jpg", "green"], ["b.jpg", "blue"]]
    assert names["logits"].shape == (2, 3)
    exec(write, {})
