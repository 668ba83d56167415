"""How large an installation of darter is, package by package, and that it predicts.

    python bench/install_sizes.py dist/darter-*.whl          the base; exit status 1 above 120 MB
    python bench/install_sizes.py dist/darter-*.whl train    with an extra

Installs into a fresh environment without pip, runs `darter predict` on a model of a few layers
there, and sums the files of each package (1 MB = 10^6 bytes), byte code left out.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 120e6

PREDICT = """
import numpy as np, onnx, sys
from onnx import helper, numpy_helper
from PIL import Image
from darter.model import ModelInfo, write_info
from darter.picture import Preprocess
nodes = [helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
         helper.make_node("Flatten", ["mean"], ["rows"]),
         helper.make_node("MatMul", ["rows", "w"], ["scores"])]
graph = helper.make_graph(nodes, "colors",
    [helper.make_tensor_value_info("images", 1, ["n", 3, 8, 8])],
    [helper.make_tensor_value_info("scores", 1, ["n", 3])],
    [numpy_helper.from_array(9 * np.eye(3, dtype=np.float32), "w")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
write_info(model, ModelInfo(("red", "green", "blue"), Preprocess(8)))
open("model.onnx", "wb").write(model.SerializeToString())
Image.new("RGB", (40, 30), (0, 0, 255)).save("blue.jpg")
assert "onnxruntime" not in sys.modules
"""


def installed(folder: Path, wheel: Path, extra: str | None) -> Path:
    """The environment's site-packages."""
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    wanted = f"{wheel.resolve()}[{extra}]" if extra else str(wheel.resolve())
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *quiet, wanted], check=True
    )
    subprocess.run([python, "-B", "-c", PREDICT], check=True, cwd=folder)
    command = [python, "-B", "-m", "darter", "predict", "model.onnx", "blue.jpg"]
    done = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True)
    assert done.stdout.split()[1] == "blue", done.stdout
    print(done.stdout, end="")
    return next((folder / "venv" / "lib").glob("python*/site-packages"))


def sizes(site: Path) -> dict[str, int]:
    """Bytes of each entry of site-packages, metadata with its package."""
    found: dict[str, int] = {}
    for entry in site.iterdir():
        name = entry.name.split("-")[0].removesuffix(".libs").lower()
        files = [entry] if entry.is_file() else [f for f in entry.rglob("*") if f.is_file()]
        count = sum(f.stat().st_size for f in files if "__pycache__" not in f.parts)
        found[name] = found.get(name, 0) + count
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("extra", nargs="?")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = sizes(installed(Path(name), options.wheel, options.extra))
    total = sum(found.values())
    for package, count in sorted(found.items(), key=lambda item: -item[1]):
        if count >= 0.5e6:
            print(f"{count / 1e6:8.1f} MB  {package}")
    what = f"with [{options.extra}]" if options.extra else f"the base (limit {LIMIT / 1e6:.0f} MB)"
    print(f"{total / 1e6:8.1f} MB  in all, {what}")
    return int(options.extra is None and total > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
