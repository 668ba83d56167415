"""A part of a net in the core, as one differentiable function of PyTorch."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from darter.errors import OptionError
from darter.train.compiled.arena import ALIGNMENT
from darter.train.compiled.chains import Ref
from darter.train.compiled.kept import Kept
from darter.train.compiled.schedule import Scheduled
from darter.train.compiled.writer import Writer


@dataclass(eq=False)
class Segment:
    """nodes: in order.   inputs, outputs: nodes whose values come from outside, and are wanted
    there.

    Plans are made for each number of images, and share nothing: numbers alternate rarely.
    """

    nodes: list[fx.Node]
    outputs: list[fx.Node]
    tensors: dict[str, Tensor]
    learning: set[str]  # nodes outside that carry gradients
    precision: str = "float32"
    plans: dict[int, "Planned"] = field(default_factory=dict)

    def plan(self, images: int) -> "Planned":
        if images not in self.plans:
            self.plans[images] = Planned(self, images)
        return self.plans[images]

    def run(self, values: dict[str, Any], images: int) -> None:
        """Add the outputs to the values, from which the inputs are taken."""
        planned = self.plan(images)
        inputs = [values[name] for name in planned.inputs]
        learned = [self.tensors[name] for name in planned.learned]
        results = _Run.apply(planned, len(inputs), *inputs, *learned)
        values |= zip((node.name for node in self.outputs), results, strict=True)


class Planned:
    """A segment for one number of images: its plan, and the memory that it runs in."""

    def __init__(self, segment: Segment, images: int) -> None:
        self.images, self.tensors, self.outputs = images, segment.tensors, segment.outputs
        writer = Writer(segment.nodes, segment.tensors, images, segment.learning, segment.precision)
        self.scheduled: Scheduled = writer.write(segment.outputs)
        self.border = writer.border
        self.drops = writer.streams > 0
        self.inputs = list(self.border.inputs)
        self.learned = list(self.border.parameter_gradients)
        self.arena = torch.empty(self.scheduled.floats + ALIGNMENT)
        self.gradients = [Kept(tuple(self.tensors[name].shape)) for name in self.learned]
        self.turn = 0  # how often it ran forward
        self.seed = 0
        self.seconds: list[float] = [0.0] * len(self.scheduled.plan)
        self.given = [0] * self.border.count
        self._inputs: dict[str, Tensor] = {}
        self._parameters: dict[str, Tensor] = {}

    def _put(self, table: dict[str, Ref], tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            number = table[name].given
            assert number is not None
            self.given[number] = tensor.data_ptr()

    def _run(self, first: int, last: int) -> None:
        line = 4 * ALIGNMENT
        start = -(-self.arena.data_ptr() // line) * line
        seconds = self.scheduled.plan.run(first, last, start, self.given, self.seed)
        for i in range(first, last):
            self.seconds[i] = seconds[i]

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        border, named = self.border, self.tensors
        self.turn += 1
        self.seed = int(torch.randint(2**62, ()).item()) if self.drops else 0
        kept = {name: _plain(tensor) for name, tensor in zip(self.inputs, inputs, strict=True)}
        self._inputs = kept  # alive until the backward pass has read them
        outputs = {
            node.name: torch.empty((self.images, *node.meta["val"].shape[1:]))
            for node in self.outputs
        }
        self._put(border.inputs, kept)
        # Filters in channels-last order are copied; the backward pass reads them too.
        self._parameters = {name: _plain(named[name]) for name in border.parameters}
        self._put(border.parameters, self._parameters)
        self._put(border.outputs, outputs)
        self._run(0, self.scheduled.forward)
        return list(outputs.values())

    def backward(self, gradients: list[Tensor | None]) -> tuple[list[Tensor | None], list[Tensor]]:
        """Of the inputs, and of the parameters that learn."""
        border = self.border
        given = {
            node.name: torch.zeros((self.images, *node.meta["val"].shape[1:]))
            if gradient is None
            else _plain(gradient)
            for node, gradient in zip(self.outputs, gradients, strict=True)
            if node.name in border.gradients_in
        }
        found = {name: torch.empty_like(self._inputs[name]) for name in border.gradients_out}
        kept = zip(self.learned, self.gradients, strict=True)
        learned = {name: gradient.tensor() for name, gradient in kept}
        self._put(border.gradients_in, given)
        self._put(border.gradients_out, found)
        self._put(border.parameter_gradients, learned)
        self._run(self.scheduled.forward, len(self.scheduled.plan))
        self._inputs = {}
        return [found.get(name) for name in self.inputs], list(learned.values())


def _plain(tensor: Tensor) -> Tensor:
    """What the core reads, also where PyTorch's autocast made a neighbour's result bfloat16."""
    return tensor.detach().float().contiguous()


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planned: Planned, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.planned, ctx.count = planned, count
        results = tuple(planned.forward(list(tensors[:count])))
        ctx.turn = planned.turn
        return results

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        planned = ctx.planned
        if ctx.turn != planned.turn:
            raise OptionError(
                "a compiled net keeps what one forward pass left: call backward before the "
                "next forward"
            )
        found, learned = planned.backward(list(gradients))
        return (None, None, *found, *learned)
