"""What emitting an operation works with: the tensors so far, and steps to emit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.kernels import (
    BLOCK,
    NO_ACTIVATION,
    PLAIN,
    Activated,
    ActivationKind,
    Element,
    Layout,
    blocks,
    canonical,
    steps,
)
from darter.net.budget import LIMITS, Budget
from darter.net.graph import Graph, Node
from darter.net.infer import infer
from darter.net.ops import Activation
from darter.net.ops import attributes as with_defaults
from darter.net.plan.concat import Slot, slots
from darter.net.plan.options import Options
from darter.net.plan.packed import Packed
from darter.net.plan.storage import (
    ARENA,
    CONSTANT,
    INPUT,
    Dims,
    Storage,
    Value,
)
from darter.net.plan.strides import permuting
from darter.net.plan.weights import Weights


@dataclass(frozen=True)
class Step:
    """One step of the plan: what the core runs, where, and how to tell a reader about it."""

    core: steps.Step
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    op: str
    name: str
    algorithm: str = ""
    multiply_adds: int = 0


class Builder:
    """Grows the list of steps, node by node.

    A tensor may be held plain, blocked, or both; `plain` and `blocked` convert where necessary.
    """

    def __init__(self, graph: Graph, batch: int, options: Options, packed: Packed) -> None:
        self.graph, self.options, self.packed = graph, options, packed
        self.shapes: Mapping[str, Dims] = infer(graph, batch)
        limits = replace(LIMITS, seconds=inf) if options.tune else LIMITS
        self._budget = Budget(limits=limits)
        self.steps: list[Step] = []
        self.storages: list[Storage] = []
        self.constants: list[NDArray[np.float32]] = []
        self._forms: dict[str, dict[Layout, Value]] = {}
        self._slots: dict[str, Slot] = slots(graph, self.shapes)
        self._parents: dict[str, Storage] = {}
        self._last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        self._last_use |= dict.fromkeys(graph.outputs, len(graph.nodes))
        self._node = graph.nodes[0] if graph.nodes else None
        # The part that runs picture by picture.
        self.inner: tuple[Builder, steps.Program] | None = None
        self._number = 0
        for number, name in enumerate(graph.inputs):
            shape = self.shapes[name]
            storage = Storage(PLAIN.bytes(shape), INPUT, number, tensors={name})
            self.define(name, Value(storage, shape))

    def begin(self, number: int, node: Node) -> None:
        """Say which node the following steps are for."""
        self._budget.check_time("planning")
        self._number, self._node = number, node

    def attributes(self, node: Node) -> dict[str, Any]:
        return with_defaults(node.op, node.attributes)

    # --- tensors ---

    def define(self, name: str, value: Value) -> None:
        """Say that a tensor lies here (perhaps also elsewhere, in another form)."""
        value.storage.holds(name, self._last_use.get(name, -1))
        self._forms.setdefault(name, {})[value.layout] = value

    def is_there(self, name: str) -> bool:
        """Whether a step gives this tensor."""
        return name in self._forms

    def last_use(self, name: str) -> int:
        """The last node that reads a tensor; the number of nodes where it is an output."""
        return self._last_use.get(name, -1)

    def axis(self, name: str) -> int | None:
        """The channel axis of the blocked form that a tensor has; None where it is only plain."""
        axes = (layout.axis for layout in self._forms.get(name, {}))
        return next((axis for axis in axes if axis is not None), None)

    def plain(self, name: str) -> Value:
        """The tensor row by row, in float32."""
        forms = self._forms_of(name)
        if PLAIN not in forms:
            axis = self.axis(name)
            assert axis is not None
            ordered = self._move_channels(
                self._from_blocked(self.blocked(name, axis)), axis, back=True
            )
            self.define(name, ordered)
        return self._forms[name][PLAIN]

    def blocked(
        self, name: str, axis: int = 1, accepts: tuple[Element, ...] = (Element.float32,)
    ) -> Value:
        """The tensor in channel blocks; `axis` is that of its channels.

        accepts: what its numbers may be kept as: the first one where none of them is there.
        """
        forms = self._forms_of(name)
        there = {form.element: form for form in forms if form.axis == axis}
        for element in accepts:
            if element in there:
                return forms[there[element]]
        if there:
            value = self._converted(forms[next(iter(there.values()))], accepts[0])
        else:
            ordered = self._move_channels(self.plain(name), axis, back=False)
            self.define(name, self._to_blocked(name, ordered, axis))
            return self.blocked(name, axis, accepts)
        self.define(name, value)
        return value

    def channels_first(self, name: str, axis: int) -> Value:
        """The tensor plain, its channels moved from `axis` to 1: (N, C, ...)."""
        if any(form.axis == axis for form in self._forms_of(name)):
            return self._from_blocked(self.blocked(name, axis))
        return self._move_channels(self.plain(name), axis, back=False)

    def define_channels_first(self, name: str, value: Value, axis: int) -> None:
        """Say that a tensor whose channels belong on `axis` lies here with its channels on 1."""
        self.define(name, self._move_channels(value, axis, back=True))

    def redefine(self, name: str, value: Value) -> None:
        """Say that a tensor has changed where it lies here; its other forms are out of date."""
        self._forms[name] = {value.layout: value}

    def kept(self, name: str, axis: int = 1) -> Layout:
        """The layout of a blocked tensor between steps that can choose: of fewer bytes where the
        options say so, and where there are pixels enough for it to matter."""
        _, _, h, w = canonical(self.shapes[name], axis)
        return Layout(axis, self.options.kept if h * w > 1 else Element.float32)

    def new(self, name: str, layout: Layout) -> Value:
        """Room for a tensor that a step is about to make, in a slice of what it is joined to."""
        shape = self.shapes[name]
        slot = self._slots.get(name)
        if slot is not None and layout == self.kept(slot.parent):
            value = self._slice(slot, shape, layout)
        elif name in self._parents and layout == self.kept(name):  # its parts have been written
            value = Value(self._parents[name], shape, layout, 0, blocks(shape[1]))
        else:
            value = self.temporary(shape, layout)
        self.define(name, value)
        return value

    def new_whole(self, name: str, layout: Layout) -> Value:
        """Room for a blocked tensor that is no slice."""
        value = self.temporary(self.shapes[name], layout)
        self.define(name, value)
        return value

    def temporary(self, shape: Dims, layout: Layout) -> Value:
        storage = Storage(layout.bytes(shape))
        self.storages.append(storage)
        of_blocks = blocks(shape[layout.axis]) if layout.axis is not None else 0
        return Value(storage, shape, layout, 0, of_blocks)

    def in_place(self, name: str, value: Value, layout: Layout) -> Value:
        """Room for `name` where `value` lies, if that is its layout and nobody reads it later; else
        new room."""
        storage = value.storage
        free = (
            storage.where == ARENA
            and not storage.in_parts
            and value.whole
            and value.layout == layout
            and name not in self._slots
            and storage.last_read <= self._number
        )
        if not free:
            return self.new(name, layout)
        result = Value(storage, self.shapes[name], layout, value.offset, value.of_blocks)
        self.define(name, result)
        return result

    def constant(self, array: NDArray[Any], layout: Layout = PLAIN) -> Value:
        """An array for the core to keep in float32; where blocked, (C,) as one of 1x1 pixels."""
        array = np.ascontiguousarray(array, np.float32)
        self.constants.append(array)
        storage = Storage(array.nbytes, CONSTANT, len(self.constants) - 1)
        if layout.axis is None:
            return Value(storage, array.shape, layout)
        return Value(storage, (1, array.size), layout, 0, blocks(array.size))

    def let_go(self) -> bool:
        """Drop the weights that no later node reads; whether there were any."""
        weights = self.graph.weights
        assert isinstance(weights, Weights), "these weights are not ours to drop"
        read = set(self._node.inputs if self._node else ())
        dropped = 0
        for name in read:
            if self._last_use.get(name) == self._number:
                dropped += weights.drop(name)
        return dropped > 0

    def weight(self, name: str) -> NDArray[np.float32]:
        array = np.asarray(self.graph.weights[name], np.float32)
        if np.isnan(array.min(initial=0.0)):  # the least of numbers and NaN is NaN
            raise ModelFileError(
                f"weights {name[:60]!r} hold NaN, so every answer would be no number: the training "
                "has diverged, or the file is damaged"
            )
        return array

    # --- steps ---

    def emit(
        self,
        core: steps.Step,
        reads: list[Value],
        writes: list[Value],
        algorithm: str = "",
        multiply_adds: int = 0,
    ) -> None:
        for value in (*reads, *writes):
            value.storage.touch(len(self.steps))
        node = self._node
        op, name = (node.op, node.name) if node else ("", "")
        self.steps.append(
            Step(core, tuple(reads), tuple(writes), op, name, algorithm, multiply_adds)
        )

    def whole(self, value: Value) -> Value:
        """The value with its images one behind the other: itself, or a copy."""
        if value.whole or value.shape[0] == 1:
            return value
        copy = self.temporary(value.shape, value.layout)
        self.copy_channels([value], copy)
        return copy

    def copy_channels(self, values: list[Value], to: Value, first: int = 0, step: int = 1) -> None:
        """Join channels of blocked values; of a single one, every `step`-th from `first` on."""
        assert to.axis is not None
        sources = [
            (i, channel) for i, value in enumerate(values) for channel in range(value.array[1])
        ]
        self.choose_channels(values, to, sources[first::step][: to.array[1]])

    def choose_channels(
        self, values: list[Value], to: Value, sources: Sequence[tuple[int, int]]
    ) -> None:
        """sources: of each channel of `to`, the number of a blocked value and its channel."""
        core = steps.channels_step([value.array for value in values], to.array, list(sources))
        self.emit(core, values, [to], "copy")

    def _forms_of(self, name: str) -> dict[Layout, Value]:
        if name not in self._forms:  # a weight that is used like a computed tensor
            array = self.graph.weights[name]
            self.define(name, self.constant(array))
        return self._forms[name]

    def _slice(self, slot: Slot, shape: Dims, layout: Layout) -> Value:
        whole = self.shapes[slot.parent]
        if slot.parent not in self._parents:
            storage = Storage(layout.bytes(whole), in_parts=True)
            self.storages.append(storage)
            self._parents[slot.parent] = storage
        offset = layout.bytes((1, slot.channel, *shape[2:]))
        return Value(self._parents[slot.parent], shape, layout, offset, blocks(whole[1]))

    def _from_blocked(self, value: Value) -> Value:
        """Plain, channels on axis 1; of float32."""
        assert value.axis is not None
        n, c, h, w = canonical(value.shape, value.axis)
        shape = (n, c, h, w) if len(value.shape) == 4 else _moved(value.shape, value.axis, 1)
        if h * w == 1 and c % BLOCK == 0 and value.whole:  # the same memory
            return Value(value.storage, shape, PLAIN, value.offset)
        plain = self.temporary(shape, PLAIN)
        self.emit(steps.from_blocked_step(value.array), [value], [plain], "to plain")
        return plain

    def _converted(self, given: Value, element: Element) -> Value:
        """The same blocked tensor, its numbers kept as something else."""
        target = self.temporary(given.shape, replace(given.layout, element=element))
        core = steps.activation_step(given.array, target.array, NO_ACTIVATION)
        self.emit(core, [given], [target], f"to {element.name}")
        return target

    def _to_blocked(self, name: str, value: Value, axis: int) -> Value:
        """value: plain, channels on axis 1."""
        shape, layout = self.shapes[name], Layout(axis)
        _, c, h, w = canonical(shape, axis)
        if h * w == 1 and c % BLOCK == 0:
            return Value(value.storage, shape, layout, value.offset, blocks(c))
        result = self.temporary(shape, layout)
        self.emit(steps.to_blocked_step(result.array), [value], [result], "to blocks")
        return result

    def _move_channels(self, value: Value, axis: int, *, back: bool) -> Value:
        """A plain value with its channels moved from `axis` to 1, or back there."""
        rank = len(value.shape)
        if axis == 1 or rank < 3:
            return value
        order = list(range(rank))
        if back:
            order.insert(axis, order.pop(1))
        else:
            order.insert(1, order.pop(axis))
        moved = self.temporary(tuple(value.shape[i] for i in order), PLAIN)
        self.emit(permuting(value.shape, order), [value], [moved], "transpose")
        return moved


def _moved(shape: Dims, axis: int, to: int) -> Dims:
    sizes = list(shape)
    sizes.insert(to, sizes.pop(axis))
    return tuple(sizes)


def named(activation: Activation | None) -> Activated:
    """An activation as the core takes it."""
    if activation is None:
        return NO_ACTIVATION
    return ActivationKind[activation.kind], activation.a, activation.b
