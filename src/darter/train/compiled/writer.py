"""Writes a segment of a traced graph as steps of the core."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from darter.kernels import NO_ACTIVATION, Activated
from darter.train.compiled.builder import Builder, Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations import (
    CLAMPS,
    OPERATIONS,
    activation_of,
    argument,
    operation_name,
)
from darter.train.compiled.schedule import Scheduled, schedule
from darter.train.compiled.shapes import Refused, image_shape, shape_of

MOST_PLAIN_CHANNELS = 8  # of pictures that the first convolution reads as they are


@dataclass(frozen=True)
class Fused:
    """What follows a normalization and becomes part of its pass; `last` is where that is
    written."""

    residual: fx.Node | None
    activation: Activated
    last: fx.Node


@dataclass
class Border:
    """What the caller brings at each call, by the name of its node; Refs number it."""

    inputs: dict[str, Ref] = field(default_factory=dict)
    parameters: dict[str, Ref] = field(default_factory=dict)
    outputs: dict[str, Ref] = field(default_factory=dict)
    gradients_in: dict[str, Ref] = field(default_factory=dict)  # of outputs
    gradients_out: dict[str, Ref] = field(default_factory=dict)  # of inputs
    parameter_gradients: dict[str, Ref] = field(default_factory=dict)
    count: int = 0

    def number(self, table: dict[str, Ref], name: str, floats: int) -> Ref:
        if name not in table:
            table[name] = Ref(floats, given=self.count)
            self.count += 1
        return table[name]


class Writer:
    """nodes: of the segment, in order.   tensors: by the name of a graph's input, its parameters
    and buffers.   learning: names of the nodes outside whose gradients are wanted."""

    def __init__(
        self,
        nodes: list[fx.Node],
        tensors: dict[str, Tensor],
        images: int,
        outside: set[str],
        precision: str,
    ) -> None:
        self.build = Builder(images, precision)
        self._nodes = nodes
        self._names = {node.name for node in nodes}
        self._tensors = tensors
        self._outside_learns = outside
        self._values: dict[str, Value] = {}
        self._fused: set[str] = set()
        self._pending: dict[str, Callable[[], None]] = {}
        self._order = {node.name: i for i, node in enumerate(nodes)}
        self.streams = 0
        self._plain_inputs: dict[str, Value] = {}
        self.border = Border()

    def write(self, wanted: list[fx.Node]) -> Scheduled:
        """All steps; wanted: nodes whose values others need."""
        for node in self._nodes:
            if node.name not in self._fused:
                OPERATIONS[operation_name(node)](self, node)
            if node.name in self._pending:
                self._pending.pop(node.name)()
        for node in wanted:
            self._output(node)
        self.build.finish()
        for name in self.border.inputs:
            self._input_gradient(name)
        return schedule(self.build.forward, self.build.backward, self.build.images)

    # What operations ask.

    def tensor(self, node: Any) -> Value:
        if not isinstance(node, fx.Node):
            raise Refused("one of its operands is a number")
        if node.name not in self._values:
            if node.name in self._names:
                raise Refused("an operand is not there yet")
            self._input(node)
        return self._values[node.name]

    def blocked(self, node: Any) -> Value:
        value = self.tensor(node)
        if value.plain and len(shape_of(node)) == 4:
            value = self._values[node.name] = self._to_blocked(value)
        if value.plain:
            raise Refused("an operand is rows, not a map")
        return value

    def blocked_or_picture(self, node: Any) -> Value:
        """The first convolution reads pictures of few channels as they are."""
        value = self.tensor(node)
        if value.plain and not value.learns and value.channels <= MOST_PLAIN_CHANNELS:
            return value
        return self.blocked(node)

    def rows(self, node: Any) -> Value:
        value = self.tensor(node)
        if not value.plain or len(shape_of(node)) != 2:
            raise Refused("its operand is a map, not rows")
        return value

    def put(self, node: fx.Node, value: Value) -> None:
        self._values[node.name] = value

    def parameter(self, node: Any) -> Tensor:
        if not isinstance(node, fx.Node) or node.name not in self._tensors:
            raise Refused("its weights are computed, not parameters")
        return self._tensors[node.name]

    def optional(self, node: Any) -> Tensor | None:
        return None if node is None else self.parameter(node)

    def learns(self, parameter: Any) -> bool:
        tensor = parameter if isinstance(parameter, Tensor) else self.parameter(parameter)
        return tensor.requires_grad

    def given(self, tensor: Tensor) -> Ref:
        return self.border.number(self.border.parameters, self._name(tensor), 0)

    def given_or_nothing(self, node: Any) -> Ref:
        return NOTHING if node is None else self.given(self.parameter(node))

    def gradient(self, tensor: Tensor) -> Ref:
        name = self._name(tensor)
        if name in self.border.parameter_gradients:
            raise Refused("its weights are used twice")
        return self.border.number(self.border.parameter_gradients, name, 0)

    def next_stream(self) -> int:
        self.streams += 1
        return self.streams

    def pending(self, node: fx.Node, write: Callable[[], None]) -> None:
        self._pending[node.name] = write

    # What may be part of the step before.

    def fused_clamp(self, node: fx.Node) -> Activated | None:
        """The clamp that alone follows a convolution."""
        after = self._only_user(node)
        what = None if after is None else activation_of(after)
        if after is None or what is None or what[0] not in CLAMPS:
            return None
        self._fused.add(after.name)
        return what

    def fused_after(self, node: fx.Node) -> Fused:
        """A residual and an activation that alone follow a normalization."""
        residual, what, last = None, NO_ACTIVATION, node
        after = self._only_user(last)
        if after is not None and operation_name(after) == "add":
            residual = self._residual(after, last)
            if residual is not None:
                last = after
                self._fused.add(after.name)
                after = self._only_user(last)
        found = None if after is None else activation_of(after)
        if after is not None and found is not None and (residual is None or found[0] in CLAMPS):
            what, last = found, after
            self._fused.add(after.name)
        return Fused(residual, what, last)

    def _residual(self, node: fx.Node, own: fx.Node) -> fx.Node | None:
        """The other operand of a sum of two maps, unless it is part of a step already."""
        if node.name in self._fused or argument(node, 2, "alpha", 1) != 1:
            return None
        others = [arg for arg in node.args[:2] if arg is not own]
        if len(others) != 1 or not isinstance(others[0], fx.Node):
            return None
        try:
            same = image_shape(others[0]) == image_shape(own)
        except Refused:
            return None
        return others[0] if same else None

    def _only_user(self, node: fx.Node) -> fx.Node | None:
        users = list(node.users)
        if len(users) != 1 or users[0].name not in self._names or users[0].name in self._fused:
            return None
        return users[0]

    # What crosses the border.

    def _name(self, tensor: Tensor) -> str:
        return next(name for name, known in self._tensors.items() if known is tensor)

    def _input(self, node: fx.Node) -> None:
        if node.name in self._tensors:
            raise Refused("an operand is a parameter, not computed from the pictures")
        shape = shape_of(node)
        if not shape or not isinstance(shape[0], torch.SymInt):
            raise Refused("an operand does not depend on the number of pictures")
        channels, h, w = image_shape(node)
        learns = node.name in self._outside_learns
        value = Value(channels, h, w, True, learns, Ref(0))
        value.ref = self.border.number(self.border.inputs, node.name, channels * h * w)
        self._values[node.name] = value
        self._plain_inputs[node.name] = value

    def _to_blocked(self, value: Value) -> Value:
        made = self.build.value(value.channels, value.h, value.w, learns=value.learns)
        self.build.relay(value, made)
        return made

    def _output(self, node: fx.Node) -> None:
        value, build = self.tensor(node), self.build
        value.users += 1
        floats = value.channels * value.h * value.w
        to = self.border.number(self.border.outputs, node.name, floats)
        if value.plain:
            build.emit("copy", floats, value.ref, to, False, reads=(value.ref,), writes=(to,))
        else:
            build.emit(
                "from_blocked", value.planes, value.ref, to, False,
                reads=(value.ref,), writes=(to,),
            )  # fmt: skip
        if not value.learns:
            return
        come = self.border.number(self.border.gradients_in, node.name, floats)

        def back() -> None:
            to, accumulate = build.wanted(value)
            reads = (come, to) if accumulate else (come,)
            if value.plain:
                build.emit("copy", floats, come, to, accumulate, reads=reads, writes=(to,))
            else:
                build.emit(
                    "to_blocked", value.planes, come, to, accumulate, reads=reads, writes=(to,)
                )

        build.back(back)

    def _input_gradient(self, name: str) -> None:
        value = self._plain_inputs[name]
        if not value.learns or value.gradient is None:
            return
        floats = value.channels * value.h * value.w
        to = self.border.number(self.border.gradients_out, name, floats)
        self.build.emit("copy", floats, value.gradient, to, False,
                        reads=(value.gradient,), writes=(to,))  # fmt: skip
