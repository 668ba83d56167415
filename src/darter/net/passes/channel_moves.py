"""Channel shuffles, with the joins and cuts next to them, become one choice of channels."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import Dims, infer
from darter.net.ops import attributes
from darter.net.passes.patterns import pictures_elsewhere

MOST_CHANNELS = 16384  # of a shuffle; lists of channels must not outgrow the net
Source = tuple[str, int]  # a tensor, and one of its channels


def takes(graph: Graph) -> Graph:
    """A Take of channels is a Channels; one before a Transpose changes places with it first."""
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    for each in graph.nodes:
        if each.op != "Take" or len(each.attributes["places"]) > MOST_CHANNELS:
            continue
        (x,), places = each.inputs, each.attributes["places"]
        axis = each.attributes["axis"] % len(shapes[x])
        turn = graph.only_consumer(each.output)
        if axis == 1:
            replaced[each] = [_choose(each, x, each.output, places)]
        elif turn is not None and turn.op == "Transpose":
            turned = graph.unused(f"{turn.output}.turned")
            axis = turn.attributes["order"].index(axis)
            if axis == 1:
                last = _choose(each, turned, turn.output, places)
            else:
                moved = each.with_attributes(axis=axis)
                last = replace(moved, inputs=(turned,), outputs=turn.outputs)
            replaced[each] = []
            replaced[turn] = [replace(turn, inputs=(x,), outputs=(turned,)), last]
    return graph.changed(replaced)


def _choose(each: Node, x: str, output: str, places: tuple[int, ...]) -> Node:
    return node("Channels", each.name, [x], output, sources=tuple((0, c) for c in places))


def order_after_scale(graph: Graph) -> Graph:
    """Channels in a new order -> Scale becomes a reordered Scale -> Channels, nearer to a product.

    So the normalization of RGB that is turned to BGR does not keep the turn from the filters.
    """
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for each in graph.nodes:
        order, scale = _order(each, shapes), graph.only_consumer(each.output)
        if order is None or scale is None or scale.op != "Scale":
            continue
        names = [graph.unused(f"{scale.output}.{role}") for role in ("scale", "shift")]
        back = np.argsort(order)
        for name, old in zip(names, scale.inputs[1:], strict=True):
            weights[name] = constant(graph.weights[old][back])
        scaled = graph.unused(f"{scale.output}.scaled")
        replaced[each] = []
        replaced[scale] = [
            replace(scale, inputs=(each.inputs[0], *names), outputs=(scaled,)),
            replace(each, inputs=(scaled,), outputs=scale.outputs),
        ]
    return graph.changed(replaced, weights)


def shuffles(graph: Graph) -> Graph:
    """Reshape -> Transpose -> Reshape that only changes the order of channels becomes Channels."""
    shapes, elsewhere = infer(graph, 2), pictures_elsewhere(graph)
    replaced: dict[Node, list[Node]] = {}
    for last in graph.nodes:
        if elsewhere.intersection(last.inputs + last.outputs):
            continue
        turn = graph.producer(last.inputs[0]) if last.op == "Reshape" else None
        first = graph.producer(turn.inputs[0]) if turn and turn.op == "Transpose" else None
        if turn is None or first is None or first.op != "Reshape":
            continue
        x = first.inputs[0]
        order = _channel_order(
            shapes[x], shapes[first.output], turn.attributes["order"], shapes[last.output]
        )
        if order is not None:
            sources = tuple((0, int(channel)) for channel in order)
            replaced[last] = [node("Channels", last.name, [x], last.output, sources=sources)]
    return graph.changed(replaced)


def _channel_order(x: Dims, apart: Dims, order: tuple[int, ...], y: Dims) -> np.ndarray | None:
    """Which channel of x each channel of y is; None where more than channels move."""
    rest = x[2:]
    end = len(apart) - len(rest)  # axes 1 ... end - 1 are the channels
    if x != y or end < 2 or x[1] > MOST_CHANNELS:
        return None
    stays = (0, *range(end, len(apart)))
    if apart[0] != x[0] or apart[end:] != rest or (order[0], *order[end:]) != stays:
        return None
    return np.arange(x[1]).reshape(apart[1:end]).transpose([i - 1 for i in order[1:end]]).ravel()


def merge_channel_moves(graph: Graph) -> Graph:
    """What a Channels reads through a Concat, Split, Slice or Channels, it reads itself.

    So does each part of a Split or Slice of a Channels. What nobody reads any more is dropped.
    """
    if not any(each.op == "Channels" for each in graph.nodes):
        return graph
    moves = _Moves(graph)
    replaced: dict[Node, list[Node]] = {}
    for each in graph.nodes:
        if each.op == "Channels" or (
            each.op in ("Split", "Slice") and each.inputs[0] in moves.chosen
        ):
            sources = moves.sources_of(each)
            if sources is not None:
                replaced[each] = [
                    _choice(each, name, moves.choose(name, sources[name]))
                    for name in each.outputs
                    if name
                ]
    return graph.changed(replaced)


class _Moves:
    """Where channels come from.   chosen: of every output of a Channels, by channel."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = infer(graph, 1)
        self.chosen: dict[str, list[Source]] = {}
        self._plain: dict[str, list[Source] | None] = {}

    def choose(self, name: str, sources: list[Source]) -> list[Source]:
        self.chosen[name] = [self._behind(source) for source in sources]
        return self.chosen[name]

    def _behind(self, source: Source) -> Source:
        """The channel itself, seen through one join or cut, and then through choices."""
        name, channel = source
        if name not in self.chosen:
            if name not in self._plain:
                maker = self.graph.producer(name)
                found = self.sources_of(maker) if maker is not None else None
                self._plain[name] = found[name] if found is not None else None
            through = self._plain[name]
            if through is None:
                return source
            name, channel = through[channel]
        return self.chosen[name][channel] if name in self.chosen else (name, channel)

    def sources_of(self, each: Node) -> dict[str, list[Source]] | None:
        """By output; None of what does more than move channels."""
        if each.op == "Channels":
            return {each.output: [(each.inputs[i], c) for i, c in each.attributes["sources"]]}
        if each.op not in ("Split", "Slice", "Concat"):
            return None
        given, sizes = attributes(each.op, each.attributes), self.shapes[each.inputs[0]]
        if given["axis"] not in (1, 1 - len(sizes)) or self._is_large(each):
            return None
        if each.op == "Concat":
            joined = [(name, c) for name in each.inputs for c in range(self.shapes[name][1])]
            return {each.output: joined}
        x = each.inputs[0]
        if each.op == "Slice":
            taken = range(given["start"], given["stop"], given["step"])
            return {each.output: [(x, c) for c in taken]}
        parts, start = {}, 0
        for name, size in zip(each.outputs, given["sizes"], strict=True):
            parts[name] = [(x, c) for c in range(start, start + size)]
            start += size
        return parts

    def _is_large(self, each: Node) -> bool:
        names = (*each.inputs, *(name for name in each.outputs if name))
        return max(self.shapes[name][1] for name in names) > MOST_CHANNELS


def _choice(each: Node, output: str, chosen: list[Source]) -> Node:
    names = list(dict.fromkeys(name for name, _ in chosen))
    places = {name: i for i, name in enumerate(names)}
    sources = tuple((places[name], channel) for name, channel in chosen)
    return node("Channels", each.name, names, output, sources=sources)


def drop_idle_channels(graph: Graph) -> Graph:
    """A Channels that leaves a tensor as it is goes away; a new order moves into a convolution."""
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    renamed: dict[str, str] = {}
    weights = {}
    for each in graph.nodes:
        order = _order(each, shapes)
        if order is None:
            continue
        if order == sorted(order):
            replaced[each], renamed[each.output] = [], each.inputs[0]
            continue
        for conv in graph.consumers(each.output):
            if _mixes_channels(conv, each.output):
                name = graph.unused(f"{conv.output}.reordered")
                weights[name] = constant(graph.weights[conv.inputs[1]][:, np.argsort(order)])
                inputs = (each.inputs[0], name, *conv.inputs[2:])
                replaced[conv] = [replace(conv, inputs=inputs)]
    return graph.changed(replaced, weights, renamed)


def _order(each: Node, shapes: Mapping[str, Dims]) -> list[int] | None:
    """The order of channels, where all of one tensor are taken once."""
    if each.op != "Channels" or len(each.inputs) != 1:
        return None
    order = [channel for _, channel in each.attributes["sources"]]
    return order if sorted(order) == list(range(shapes[each.inputs[0]][1])) else None


def _mixes_channels(conv: Node, x: str) -> bool:
    return (
        conv.op == "Conv"
        and conv.attributes.get("group", 1) == 1
        and conv.inputs[0] == x
        and conv.inputs.count(x) == 1
    )
