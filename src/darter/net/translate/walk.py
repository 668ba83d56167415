"""One walk over an ONNX graph: fold what is constant, translate the rest."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from darter.net.budget import Budget
from darter.net.graph import Graph, Node, Shape
from darter.net.translate.attributes import check_attributes
from darter.net.translate.boxes import with_masks
from darter.net.translate.context import Translation
from darter.net.translate.fold import FOLDS, fold
from darter.net.translate.folds.places import VIEWS, part_of_shape
from darter.net.translate.lists import check_lists
from darter.net.translate.merged import counts_numbers, translate_merged
from darter.net.translate.refusals import MissingError, Refusals
from darter.net.translate.table import TRANSLATIONS


def translate(
    graph: Graph,
    inputs: Mapping[str, Shape],
    outputs: tuple[str, ...],
    *,
    written: int | None = None,
    budget: Budget | None = None,
) -> Graph:
    """A graph of `ops.OPS` that computes `outputs` of an ONNX graph from `onnx_reader`.

    inputs: the shape of each input, None for the number of pictures.
    written: the number of pictures that the file was written for, if it insists on one.
    budget: what the file may take.
    Raises UnsupportedError that names the kinds of nodes that cannot be translated; ShapeError and
    ModelFileError at the first node that makes no sense.
    """
    graph = with_masks(graph)
    read = {name for source in graph.nodes for name in source.inputs} | set(outputs)
    net = Translation(inputs, graph.opset, written, budget)
    for name, array in graph.weights.items():
        net.know_weight(name, array)
    refused = Refusals()
    unknown: set[str] = set()  # outputs of refused nodes; what needs them cannot be judged
    for source in graph.nodes:
        net.budget.check_time("translating the graph")
        try:
            if unknown.intersection(source.inputs):
                unknown.update(source.outputs)
                if source.op not in FOLDS:
                    _check_known(source)
            else:
                _one(net, _without_unread(source, read))
        except UnsupportedError as error:
            refused.add(source, error)
            unknown.update(source.outputs)
    refused.check()
    return net.finish(outputs)


def _without_unread(source: Node, read: set[str]) -> Node:
    """The node without optional outputs that nobody reads (a mask, a running mean)."""
    if source.op == "Split" or len(source.outputs) == 1:
        return source
    first, *others = source.outputs
    return replace(source, outputs=(first, *(name if name in read else "" for name in others)))


def _one(net: Translation, source: Node) -> None:
    check_lists(net, source)
    _check_attributes(net, source)
    if source.op == "Constant":
        net.know(source.output, _constant(source))
    elif source.op in ("Shape", "Size") and source.inputs and source.inputs[0] not in net.values:
        first, second = net.dims(source.inputs[0])
        if source.op == "Shape":
            first, second = part_of_shape(source, first), part_of_shape(source, second)
            net.know(source.output, np.array(first, np.int64), np.array(second, np.int64))
        else:
            net.know(source.output, np.array(prod(first)), np.array(prod(second)))
    elif source.op in FOLDS and all(name in net.values for name in source.inputs if name):
        _fold(net, source)
    elif source.op in TRANSLATIONS:
        _translate_one(net, source)
    else:
        _check_known(source)


def _check_attributes(net: Translation, source: Node) -> None:
    first = source.inputs[0] if source.inputs else ""
    rank = len(net.dims(first)[0]) if first else 0
    try:
        check_attributes(source, net.opset, rank)
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from None


def _check_known(source: Node) -> None:
    """UnsupportedError unless darter may be able to run the operation."""
    if source.op not in TRANSLATIONS and source.op not in ("Constant", "Shape", "Size"):
        if source.op not in FOLDS:
            raise MissingError("darter has no such operation")
        only = "works on constants only"
        raise UnsupportedError(only)


def _translate_one(net: Translation, source: Node) -> None:
    if not source.inputs or not source.inputs[0]:
        raise ModelFileError(f"{source}: has no input")
    try:
        if any(name in net.merged for name in source.inputs) and not counts_numbers(net, source):
            translate_merged(net, source)
        else:
            TRANSLATIONS[source.op](net, source)
    except (ModelFileError, ShapeError) as error:
        named = str(error) if str(error).startswith(str(source)) else f"{source}: {error}"
        raise type(error)(named) from None
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{source}: its inputs or attributes do not fit: {error}") from error


def _fold(net: Translation, source: Node) -> None:
    if source.op not in VIEWS:
        for name in source.inputs:
            net.count_spread(name)
    both = [net.values[name] if name else (None, None) for name in source.inputs]
    results = [fold(source, [pair[0] for pair in both], net.opset)]
    if any(pair[0] is not pair[1] for pair in both):
        results.append(fold(source, [pair[1] for pair in both], net.opset))
    for name, *values in zip(source.outputs, *results, strict=False):
        net.know(name, *values)


def _constant(source: Node) -> np.ndarray:
    for name, kind in (("value_float", np.float32), ("value_int", np.int64)):
        for key in (name, f"{name}s"):
            if source.attributes.get(key) is not None:
                return np.array(source.attributes[key], kind)
    value = source.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise UnsupportedError("constants other than numbers are not supported")
    return value
