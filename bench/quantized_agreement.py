"""Files of ONNX Runtime's quantizer: does darter answer what ONNX Runtime answers?

    python -m bench.quantized_agreement                  all nets in all forms
    python -m bench.quantized_agreement resnet18 --form QDQ-u8s8-channel
    python -m bench.quantized_agreement --kept rows.jsonl          goes on where it was stopped

Nets of torchvision and timm with random weights and statistics, exported, quantized by
`onnxruntime.quantization.quantize_static` on blurred patches and noise, and run by both on pictures
that took no part. Counted are steps:

- layer by layer, each given the same integers (see quantized_layers.py): how far darter's are from
  those of ONNX Runtime as it runs a file, and from the definition (numbers, the operation in
  float32, integers);
- of the net's last integers, where what differs in a layer may spread: how far darter is from ONNX
  Runtime, how many are the same, and how far ONNX Runtime without its fusions, which then computes
  QDQ in float32, is from itself.

Exit status 1 where darter is more than one step off ONNX Runtime. Needs darter[train] and ONNX
Runtime.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime import GraphOptimizationLevel
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import darter
from bench.agreement import NETS, export, make, pictures
from bench.quantized_layers import by_definition, integers_of, layers_of, run
from darter.net import build, read_model

NAMES = (
    "resnet18", "resnet50", "mobilenet_v2", "googlenet", "inception_v3", "vgg11", "alexnet",
    "squeezenet1_1", "densenet121", "shufflenet_v2_x1_0", "mnasnet1_0", "regnet_y_400mf",
    "resnext50_32x4d", "mobilenet_v3_small", "timm/efficientnet_lite0", "timm/mobileone_s0",
    "timm/repghostnet_050", "timm/res2net50_26w_4s", "timm/tinynet_e", "timm/lcnet_035",
)  # fmt: skip
U8, S8 = QuantType.QUInt8, QuantType.QInt8
FORMS = {
    "QDQ-u8s8-channel": (QuantFormat.QDQ, U8, True),
    "QDQ-u8s8-tensor": (QuantFormat.QDQ, U8, False),
    "QDQ-s8s8-channel": (QuantFormat.QDQ, S8, True),
    "QOperator-u8s8-channel": (QuantFormat.QOperator, U8, True),
    "QOperator-s8s8-tensor": (QuantFormat.QOperator, S8, False),
}
PICTURES = 4


class Calibration(CalibrationDataReader):
    def __init__(self, size: int) -> None:
        self.left = [*pictures(PICTURES, size).numpy()[:, None]]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"x": self.left.pop()} if self.left else None


def write_quantized(plain: Path, form: str, size: int) -> Path:
    kind, activations, per_channel = FORMS[form]
    made = plain.with_name("int8.onnx")
    quantize_static(
        str(plain), str(made), Calibration(size), quant_format=kind, per_channel=per_channel,
        activation_type=activations, weight_type=S8,
    )  # fmt: skip
    return made


def last_step(path: Path) -> float:
    """The scale of the last tensor that is quantized: those of the last integers in the file."""
    graph = onnx.load(str(path)).graph
    values = {each.name: each for each in graph.initializer}
    last = next(
        node
        for node in reversed(graph.node)
        if node.op_type in ("DequantizeLinear", "QuantizeLinear")
    )
    return float(numpy_helper.to_array(values[last.input[1]]).max())


def elsewhere(path: Path, x: np.ndarray, level: GraphOptimizationLevel) -> np.ndarray:
    model = onnx.load(str(path))
    return np.concatenate([run(model, {"x": each[None]}, level) for each in x])


def layer_by_layer(path: Path, size: int, x: np.ndarray) -> tuple[int, int, int]:
    """How many layers; the most steps between darter and ONNX Runtime, and the definition."""
    known = integers_of(path, size, x)
    layers = [*layers_of(path, known)]
    apart = [0, 0]
    for layer in layers:
        feed = {name: known.get(name, x) for name in layer.inputs}
        for i, expected in enumerate(
            (
                run(layer.model, feed, GraphOptimizationLevel.ORT_ENABLE_ALL),
                run(by_definition(layer.model), feed, GraphOptimizationLevel.ORT_DISABLE_ALL),
            )
        ):
            off = expected.astype(int) - known[layer.output].astype(int).reshape(expected.shape)
            apart[i] = max(apart[i], int(np.abs(off).max()))
    return len(layers), *apart


def operations(path: Path, size: int) -> Counter[str]:
    graph = build(read_model(path), "x", (3, size, size), ("y",))
    return Counter(each.op for each in graph.nodes)


@dataclass(frozen=True)
class Row:
    """A net in a form. whole, of: products on integers, of all.   steps: see the module."""

    net: str
    form: str
    whole: int
    of: int
    layers: int
    layer_steps: int
    from_definition: int
    net_steps: float
    same: float
    own: float

    @property
    def agrees(self) -> bool:
        return max(self.net_steps, self.layer_steps) <= 1.01

    def __str__(self) -> str:
        return (
            f"| {self.net} | {self.form} | {self.whole} of {self.of} | {self.layers} "
            f"| {self.layer_steps} | {self.from_definition} | {self.net_steps:.2f} "
            f"| {self.same:.1%} | {self.own:.2f} |"
        )


def compare(name: str, form: str, plain: Path) -> Row:
    size = NETS.get(name, 96)
    path = write_quantized(plain, form, size)
    x = pictures(PICTURES + 3, size).numpy()[-3:]
    expected = elsewhere(path, x, GraphOptimizationLevel.ORT_ENABLE_ALL)
    plainly = elsewhere(path, x, GraphOptimizationLevel.ORT_DISABLE_ALL)
    found = darter.load(path, runtime="darter", size=size).run(x)
    assert isinstance(found, np.ndarray)
    off = np.abs(found - expected) / last_step(path)
    own = float(np.abs(plainly - expected).max()) / last_step(path)
    kinds = operations(path, size)
    whole, of_floats = kinds["IntegerConv"], kinds["Conv"] + kinds["Gemm"]
    steps = layer_by_layer(path, size, x)
    worst, same = float(off.max()), float((off < 0.5).mean())
    return Row(name, form, whole, whole + of_floats, *steps, worst, same, own)


def rows_of(name: str, forms: Iterable[str], kept: dict[tuple[str, str], Row]) -> Iterator[Row]:
    """A row for each form; the net is made where one is not kept."""
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        plain, prepared = Path(folder) / "net.onnx", Path(folder) / "prepared.onnx"
        for form in forms:
            if (name, form) not in kept and not prepared.exists():
                export(make(name), NETS.get(name, 96), plain, "torchscript")
                quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
            yield kept.get((name, form)) or compare(name, form, prepared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", help="names; these 20 by default")
    parser.add_argument("--form", choices=FORMS, action="append")
    parser.add_argument("--kept", type=Path, help="rows of runs before, and where those of this go")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    lines = options.kept.read_text().splitlines() if options.kept and options.kept.exists() else []
    kept = {(row.net, row.form): row for row in (Row(**json.loads(line)) for line in lines)}
    print(
        "| net | form | products on integers | layers | a layer's steps | from the definition "
        "| the net's steps | the same | ONNX Runtime's own |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    rows: list[Row] = []
    for name in options.nets or NAMES:
        for row in rows_of(name, options.form or FORMS, kept):
            print(row, flush=True)
            rows.append(row)
            if options.kept and (row.net, row.form) not in kept:
                with options.kept.open("a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
    layers, agreed = sum(row.layer_steps <= 1 for row in rows), sum(row.agrees for row in rows)
    print(
        f"Within one step: every layer of {layers} of {len(rows)}, and the whole net of {agreed}."
    )
    sys.exit(agreed < len(rows))


if __name__ == "__main__":
    main()
