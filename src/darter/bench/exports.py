"""Nets to compare runtimes on: an ONNX file, pictures, and the answers to expect."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darter.errors import MissingExtraError, OptionError, UnsupportedError
from darter.extras import install_line
from darter.model import read_signature
from darter.net import read_model

NETS = {  # name -> side of the pictures
    "vgg19": 224, "resnet18": 224, "resnet50": 224, "googlenet": 224, "alexnet": 224,
    "inception_v3": 299, "efficientnet_lite0": 224, "mobilenet_v2": 224,
}  # fmt: skip
PICTURES = 8  # that come with a net, at least
ANY_SIZE = 224  # of pictures, for a file that takes any
FADING = ("googlenet",)  # without its statistics all answers are the same


def random_net(name: str, folder: Path, pictures: int = PICTURES) -> Path:
    """FOLDER/NAME.onnx with random weights (speed does not depend on them), and NAME.pt.

    A process of its own exports it, so that nothing of PyTorch stays in this one.
    Raises OptionError for an unknown name, MissingExtraError without PyTorch.
    """
    if name not in NETS:
        raise OptionError(f"unknown net {name!r}; choose from {', '.join(NETS)}, or a model file")
    file = folder / f"{name}.onnx"
    if not (file.exists() and len(np.load(file.with_suffix(".x.npy"))) >= pictures):
        command = [sys.executable, "-m", "darter.bench.exports", name, str(folder), str(pictures)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            last = ended.stderr.strip().splitlines()[-1:] or ["it was stopped"]
            raise MissingExtraError(
                f"{name} could not be exported ({last[0]}): it needs {install_line('train')}"
            )
    return file


def batches_of(path: Path, wanted: Sequence[int]) -> list[int]:
    """The numbers of pictures to run a model file with: its own, if it insists on one."""
    batch = read_signature(read_model(path)).batch
    return [*wanted] if batch is None else [batch]


def given_net(path: Path, folder: Path, pictures: int = PICTURES) -> Path:
    """A copy of somebody's model file, with random pictures and ONNX Runtime's answers.

    Raises ModelFileError and UnsupportedError as `darter.load` does; UnsupportedError if it takes
    other pictures than float32 (N, 3, H, W).
    """
    import onnx

    import darter

    model = read_model(path)
    signature = read_signature(model)
    if signature.layout != "NCHW" or signature.dtype != "float32":
        raise UnsupportedError(
            f"{path}: the comparison needs a model of float32 pictures (N, C, H, W), "
            f"got {signature.dtype} {signature.layout}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{path.stem}.onnx"
    if model.external or len(signature.outputs) > 1:
        whole = onnx.load(str(path))
        del whole.graph.output[1:]  # the runtimes compute the first output, and are held to it
        onnx.save_model(whole, file)  # in one file
    elif file.resolve() != path.resolve():
        shutil.copyfile(path, file)
    session = darter.load(file, runtime="onnxruntime")
    sides = signature.sides(None, ANY_SIZE)
    shape = (pictures, signature.channels, *sides)
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    np.save(file.with_suffix(".x.npy"), x)
    np.save(file.with_suffix(".y.npy"), session.run(x))
    return file


def quantized_net(file: Path, folder: Path) -> Path:
    """FOLDER/NAME-int8.onnx: FILE as ONNX Runtime's quantizer makes it, with its answers.

    Signed weights with a scale per channel, unsigned numbers between layers; calibrated on four
    of the net's pictures (speed does not depend on them).   A file that has QuantizeLinear stays.
    Raises MissingExtraError without ONNX Runtime.
    """
    import darter

    if any(each.op_type == "QuantizeLinear" for each in read_model(file).proto.graph.node):
        return file
    made = folder / f"{file.stem}-int8.onnx"
    x = np.load(file.with_suffix(".x.npy"))
    if not (made.exists() and len(np.load(made.with_suffix(".x.npy"))) >= len(x)):
        _quantize(file, made, x)
        np.save(made.with_suffix(".x.npy"), x)
        session = darter.load(made, runtime="onnxruntime")
        answers = [session.run(x[i : i + 1]) for i in range(len(x))]
        np.save(made.with_suffix(".y.npy"), np.concatenate(answers))
    return made


def _quantize(file: Path, made: Path, x: np.ndarray) -> None:
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError:
        wanted = install_line("ort")
        raise MissingExtraError(f"int8 needs ONNX Runtime's quantizer: {wanted}") from None
    left = [x[i : i + 1] for i in range(min(4, len(x)))]
    name = read_signature(read_model(file)).input

    class Pictures(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            return {name: left.pop()} if left else None

    plain, written = made.with_suffix(".plain"), made.with_suffix(".part")
    quant_pre_process(str(file), str(plain), skip_symbolic_shape=True)
    quantize_static(
        str(plain), str(written), Pictures(), per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    plain.unlink()
    written.replace(made)


def _export(name: str, folder: Path, pictures: int) -> None:
    import timm
    import torch
    import torchvision

    torch.manual_seed(0)
    if hasattr(torchvision.models, name):
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        net = torchvision.models.get_model(name, weights=None, **options)
    else:
        net = timm.create_model(name, pretrained=False)
    x = torch.randn(pictures, 3, NETS[name], NETS[name])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # take the statistics of these pictures: answers that differ
    with torch.no_grad():
        if name in FADING:
            net.train()(x)
        y = net.eval()(x)
    file = folder / f"{name}.onnx"
    np.save(file.with_suffix(".x.npy"), x.numpy())
    np.save(file.with_suffix(".y.npy"), y.numpy())
    torch.save(net, file.with_suffix(".pt"))
    torch.onnx.export(
        net, (x[:1],), file, opset_version=17, dynamo=False,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )  # fmt: skip


if __name__ == "__main__":
    _export(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
