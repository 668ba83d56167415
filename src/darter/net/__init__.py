"""A net as a value: read it from ONNX, translate, improve, plan and run it. Needs no PyTorch.

graph = build(read_model("model.onnx"), ...)   an ONNX file as a Graph of `OPS`
Programs(lambda: graph).run(x)                 planned for each number of pictures, and run
to_model(graph)                                written as ONNX again
"""

from darter.net.analyze import Analysis, Layer, analyze
from darter.net.build import build, understood
from darter.net.graph import Graph, Node, needed
from darter.net.infer import infer, pictures_axes
from darter.net.onnx.functions import nodes_of
from darter.net.onnx.modelfile import ModelFile, model_in_memory, read_model, read_whole
from darter.net.onnx.reader import read_graph
from darter.net.onnx.schema import TensorProto
from darter.net.onnx.writer import to_model, with_graph
from darter.net.ops import OPS, Activation, attributes
from darter.net.plan import PRECISIONS, Options, Program, Programs, StepReport, refusals
from darter.net.shapes import window

__all__ = [
    "OPS",
    "PRECISIONS",
    "Activation",
    "Analysis",
    "Graph",
    "Layer",
    "ModelFile",
    "Node",
    "Options",
    "Program",
    "Programs",
    "StepReport",
    "TensorProto",
    "analyze",
    "attributes",
    "build",
    "infer",
    "model_in_memory",
    "needed",
    "nodes_of",
    "pictures_axes",
    "read_graph",
    "read_model",
    "read_whole",
    "refusals",
    "to_model",
    "understood",
    "window",
    "with_graph",
]
