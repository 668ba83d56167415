"""EfficientNet-Lite0 with its ImageNet weights in 8 bits: how often it agrees with the float net.

    python bench/quantized.py photos/ other_photos/ more_photos/

The first folder calibrates and chooses; all pictures of the others, which had no part in that,
judge. Prints a line for each runtime that is installed. Needs darter[train].
"""

import sys
import tempfile
from pathlib import Path

from darter.dataset import Sample
from darter.errors import MissingExtraError
from darter.model import ModelInfo, load
from darter.quantize import MOST_DROP, Wish, difference, quantize_file
from darter.quantize.compare import logits_of_files
from darter.train import export
from darter.transfer import Classifier, zoo
from darter.transfer.weights import read_state

NET = "efficientnet_lite0"


def write_lite(path: Path, pictures: list[Path]) -> Path:
    """The net with its 1,000 classes, named by number (names play no part)."""
    backbone, state = zoo.load(NET), read_state(zoo.LITES[NET].file())
    model = Classifier(backbone, 1000)
    model.set_head(state["_fc.weight"], state["_fc.bias"])
    info = ModelInfo(tuple(f"class {k}" for k in range(1000)), backbone.preprocess())
    export(model.eval(), path, info, pictures)
    return path


def main(by: str, *folders: str) -> None:
    endings = {".jpg", ".jpeg", ".png"}
    files = [f for folder in folders for f in sorted(Path(folder).rglob("*"))]
    samples = [Sample(file, ()) for file in files if file.suffix.lower() in endings]
    with tempfile.TemporaryDirectory() as folder:
        path = write_lite(Path(folder) / "lite0.onnx", [sample.path for sample in samples[:16]])
        session, out = load(path), Path(folder) / "int8.onnx"
        drop = MOST_DROP[False]
        found = quantize_file(session, path, by, out, wish=Wish(drop), say=print)
        print(f"in float: {found['float_layers']}; noise {found['noise']:.2e}")
        read, base = logits_of_files(session, samples)
        for runtime in ("darter", "onnxruntime"):
            try:
                other = load(out, runtime=runtime)
            except MissingExtraError:
                continue
            held = difference(logits_of_files(other, read)[1], base, None, session.info)
            low, high = held.agreement_interval
            print(f"{runtime}: {held.agreement:.1%} of {held.n} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
