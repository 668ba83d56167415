"""A classifier's graph with its preprocessing before it and its probabilities behind it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from darter.errors import UnsupportedError
from darter.model.info import ModelInfo, write_info
from darter.model.pixels.nodes import Nodes
from darter.model.pixels.resize import images_of
from darter.model.scores import LEAST_PROBABILITY, Scores, read_scores
from darter.model.signature import Signature, read_signature
from darter.net import read_model, read_whole

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT, OUTPUT = "pixels", "probabilities"
OPSET = 11  # the first with Range, Round and all that `resize` needs


def with_preprocessing(path: Path | str, info: ModelInfo) -> "ModelProto":
    """The net of a model file, taking decoded pictures and giving probabilities.

    Input "pixels": uint8 (H, W, 3), RGB, upright, of any size. Output "probabilities": float32
    (classes,), calibrated, in the order of `info.classes`.
    Raises ModelFileError where the file is no classifier of pictures, UnsupportedError where it
    cannot be extended.
    """
    model = read_model(path)
    signature = read_signature(model)
    scores = read_scores(model.proto, signature)
    opset = next((entry.version for entry in model.proto.opset_import if not entry.domain), 0)
    if model.external:
        raise UnsupportedError(
            f"{path}: keeps its weights in other files; with preprocessing only a file that holds "
            "its weights can be exported. onnx.save(onnx.load(FILE), OTHER) writes such a file."
        )
    if info.over is not None:
        raise UnsupportedError(
            f"{path}: averages its answers over {', '.join(info.over.sources)} (darter.over in its "
            "metadata), and a file with preprocessing looks once. Write it without first: "
            "darter.model.write_info(file, dataclasses.replace(info, over=None))"
        )
    if opset < OPSET:
        raise UnsupportedError(
            f"{path}: is of ONNX opset {opset}; the preprocessing needs {OPSET} or more. "
            "onnx.version_converter.convert_version(model, 17) makes such a file."
        )
    proto = read_whole(path)
    _make_room(proto)
    nodes = Nodes(_prefix(proto), opset)
    input_name = _named_input(proto, signature)
    images = _as_the_net_takes_it(nodes, images_of(nodes, INPUT, info.preprocess), signature)
    nodes("Identity", images)
    nodes.nodes[-1].output[0] = input_name
    before = len(nodes.nodes)
    probabilities_of(nodes, scores, _named_output(proto, scores), info)
    nodes.nodes[-1].output[0] = OUTPUT
    nodes.put_around(proto.graph, before=before)
    _declare(proto, len(info.classes))
    write_info(proto, info)
    return proto


def probabilities_of(nodes: Nodes, scores: Scores, output: str, info: ModelInfo) -> str:
    """Nodes from the net's scores of one picture or more to the probabilities of the first."""
    classes = len(info.classes)
    rows = nodes.reshape(nodes.cast(output, np.float32), -1, classes)
    row = nodes("Gather", rows, nodes.constant([0], np.int64))
    logits = row
    if scores.last in ("Softmax", "Sigmoid"):
        least = nodes.constant(LEAST_PROBABILITY, np.float32)
        logits = nodes("Log", nodes("Max", row, least))
    if scores.last == "Sigmoid":
        rest = nodes("Sub", nodes.constant(1.0, np.float32), row)
        logits = nodes("Sub", logits, nodes("Log", nodes("Max", rest, least)))
    temperature = nodes.constant(info.calibration.temperature, np.float32)
    logits = nodes("Div", logits, temperature)
    if info.task == "multilabel":
        likely = nodes("Sigmoid", logits)
    else:
        likely = nodes("Softmax", logits, axis=1)
    return nodes.reshape(likely, classes)


def _as_the_net_takes_it(nodes: Nodes, images: str, signature: Signature) -> str:
    """(1, C, height, width) in the graph's layout, type and number of pictures."""
    if signature.layout == "NHWC":
        images = nodes("Transpose", images, perm=[0, 2, 3, 1])
    if signature.dtype != "float32":
        images = nodes.cast(images, np.dtype(signature.dtype))
    if signature.batch is not None and signature.batch > 1:
        images = nodes("Tile", images, nodes.constant([signature.batch, 1, 1, 1], np.int64))
    return images


def _names(proto: "ModelProto") -> set[str]:
    """Of every tensor and node of the graph, nested graphs included."""
    graph, names = proto.graph, set()
    for entry in (*graph.input, *graph.output, *graph.initializer):
        names.add(entry.name)
    waiting = list(graph.node)
    while waiting:
        node = waiting.pop()
        names.update((node.name, *node.input, *node.output))
        for attribute in node.attribute:
            for nested in (attribute.g, *attribute.graphs):
                names.update(entry.name for entry in (*nested.input, *nested.initializer))
                waiting.extend(nested.node)
    return names


def _make_room(proto: "ModelProto") -> None:
    """Rename all of the net's own where it already uses the new input's or output's name."""
    if not {INPUT, OUTPUT} & _names(proto):
        return
    from onnx import compose

    proto.graph.CopyFrom(compose.add_prefix_graph(proto.graph, "net/"))


def _prefix(proto: "ModelProto") -> str:
    names, prefix = _names(proto), "darter/"
    while any(name.startswith(prefix) for name in names):
        prefix = "_" + prefix
    return prefix


def _named_input(proto: "ModelProto", signature: Signature) -> str:
    """Of the pictures, whose name may have changed since the signature was read."""
    names = [entry.name for entry in proto.graph.input]
    return signature.input if signature.input in names else f"net/{signature.input}"


def _named_output(proto: "ModelProto", scores: Scores) -> str:
    names = [entry.name for entry in proto.graph.output]
    return scores.output if scores.output in names else f"net/{scores.output}"


def _declare(proto: "ModelProto", classes: int) -> None:
    """The new input and output in place of the graph's own."""
    from onnx import TensorProto, helper

    pixels = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["height", "width", 3])
    given = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [classes])
    weights = {tensor.name for tensor in proto.graph.initializer}
    kept = [entry for entry in proto.graph.input if entry.name in weights]
    del proto.graph.input[:], proto.graph.output[:]
    proto.graph.input.extend([pixels, *kept])
    proto.graph.output.append(given)
