"""`compiled(module, example)`: a PyTorch net whose training steps run in the core."""

import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn

from darter.errors import OptionError, ShapeError
from darter.train.compiled.operations import OPERATIONS, operation_name
from darter.train.compiled.segment import Segment
from darter.train.compiled.shapes import Refused

COUNTER = "num_batches_tracked"
PRECISIONS = ("float32", "bfloat16")


class CompiledNet(nn.Module):
    """Computes what the module computes, forward and backward, the core's segments in the core.

    module: trained in place: its parameters and statistics are the ones used.   refusals:
    (operation, why) of what PyTorch runs, in order.   precision: as `compiled` takes it.
    In evaluation mode the module itself runs.
    """

    def __init__(self, module: nn.Module, example: Tensor, precision: str = "float32") -> None:
        super().__init__()
        self.module, self.precision = module, precision
        self._example = example
        self._trace: _Traced | None = None

    @property
    def refusals(self) -> list[tuple[str, str]]:
        return self._traced().refusals

    @property
    def segments(self) -> list[Segment]:
        return [part for part in self._traced().parts if isinstance(part, Segment)]

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.module(x)
        return self._traced().run(x)

    def _traced(self) -> "_Traced":
        """Anew where other parameters learn than before, or other layers are in training mode."""
        state = _state(self.module)
        if self._trace is None or self._trace.state != state:
            self._trace = _Traced(self.module, self._example, state, self.precision)
        return self._trace


def compiled(module: nn.Module, example: Tensor, *, precision: str = "float32") -> CompiledNet:
    """A net like the module, whose training steps run in darter's core where it can take them.

        net = compiled(timm.create_model("resnet18"), torch.randn(16, 3, 224, 224))
        loss(net(images), labels).backward()

    module: a CNN; pictures in, one tensor out. Parameters are shared: optimizers, averages and
    checkpoints of `module` go on as they are.   example: float32 (N, C, H, W) on the CPU; the
    number of pictures may differ later, their size may not.   precision: "float32", or "bfloat16":
    maps that live for some time are kept in 16 bits, half the memory, and convolutions multiply 16
    bits where the CPU can; parameters, their gradients, sums and statistics stay float32.
    The core computes in blocks of 16 channels from end to end: convolutions, batch
    normalization (statistics of the batch, or frozen), activations, sums, pools, joined maps,
    dropout, linear layers, squeeze and excite. What it does not know runs in PyTorch, segment by
    segment; `refusals` says what and why.
    The same bits on any number of threads, and for the same state of torch's random numbers.
    One backward pass per forward pass, before the next forward pass.

    Raises OptionError where the net cannot be traced (torch.export) or for another precision,
    ShapeError for another example.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"compiled: precision is float32 or bfloat16, got {precision!r}")
    if not isinstance(example, Tensor) or example.ndim != 4 or example.dtype != torch.float32:
        raise ShapeError("compiled: the example must be float32 pictures (N, C, H, W)")
    net = CompiledNet(module, example, precision)
    net.training = module.training  # not `train`, which would wake frozen layers
    if module.training:
        net._traced()
    return net


def _state(module: nn.Module) -> tuple[Any, ...]:
    """What a trace depends on."""
    modes = tuple(each.training for each in module.modules())
    return modes, tuple(p.requires_grad for p in module.parameters())


class _Traced:
    """The module as segments of the core and nodes that PyTorch runs."""

    def __init__(
        self, module: nn.Module, example: Tensor, state: tuple[Any, ...], precision: str
    ) -> None:
        self.state, self.precision = state, precision
        self.size = tuple(example.shape[1:])
        program = _export(module, example)
        owned = dict(module.named_parameters()) | dict(module.named_buffers())
        signature = program.graph_signature
        names = signature.inputs_to_parameters | signature.inputs_to_buffers
        self.tensors = {name: owned[full] for name, full in names.items() if full in owned}
        for name, full in signature.inputs_to_lifted_tensor_constants.items():
            self.tensors[name] = program.constants[full]
        nodes = [node for node in program.graph.nodes if node.op == "call_function"]
        inputs = [n for n in program.graph.nodes if n.op == "placeholder"]
        pictures = [node.name for node in inputs if node.name not in self.tensors]
        if len(pictures) != 1:
            raise OptionError(f"compiled: the net takes {len(pictures)} inputs, expected pictures")
        self.input = pictures[0]
        self.counters = [self.tensors[n.args[0].name] for n in nodes if self._counts(n)]
        nodes = [node for node in nodes if not self._counts(node)]
        output = next(node for node in program.graph.nodes if node.op == "output").args[0]
        results = [r for r in output if isinstance(r, fx.Node) and r.op == "call_function"]
        results = [node for node in results if not self._counts(node)]
        if len(results) != 1:
            raise OptionError(f"compiled: the net gives {len(results)} results, expected one")
        self.output = results[0].name
        self.learning = self._gradients(nodes)
        self.refusals: list[tuple[str, str]] = []
        self.parts: list[Segment | fx.Node] = []
        self._split(nodes, {self.output}, example.shape[0])

    def run(self, x: Tensor) -> Tensor:
        return self.values(x)[self.output]

    def values(self, x: Tensor) -> dict[str, Any]:
        """Of every node that is computed outside of segments or wanted outside of its segment."""
        if x.ndim != 4 or tuple(x.shape[1:]) != self.size:
            raise ShapeError(
                f"this compiled net takes pictures of {self.size}, got {tuple(x.shape)}; "
                "compile it for others"
            )
        if self.counters:
            torch._foreach_add_(self.counters, 1)
        values: dict[str, Any] = {**self.tensors, self.input: x.float()}
        for part in self.parts:
            if isinstance(part, Segment):
                part.run(values, x.shape[0])
            else:
                values[part.name] = _in_pytorch(part, values)
        return values

    def _counts(self, node: fx.Node) -> bool:
        """Batches, of normalizations."""
        first = node.args[0] if node.args else None
        return isinstance(first, fx.Node) and first.name.endswith(COUNTER)

    def _gradients(self, nodes: list[fx.Node]) -> set[str]:
        """Names of the nodes whose values carry gradients."""
        carried = {name for name, tensor in self.tensors.items() if tensor.requires_grad}
        for node in nodes:
            if any(source.name in carried for source in node.all_input_nodes):
                carried.add(node.name)
        return carried

    def _split(self, nodes: list[fx.Node], wanted: set[str], images: int) -> None:
        """The longest runs of nodes that the core takes; a refused node ends its run."""
        begin = 0
        while begin < len(nodes):
            end = begin
            while end < len(nodes) and operation_name(nodes[end]) in OPERATIONS:
                end += 1
            while end > begin:
                segment = self._segment(nodes[begin:end], wanted)
                try:
                    segment.plan(images)
                except Refused as refused:
                    end = self._refused(nodes, begin, end, wanted, images, str(refused))
                    continue
                self.parts.append(segment)
                break
            if end == begin:
                self._leave(nodes[begin])
                end += 1
            begin = end

    def _refused(
        self, nodes: list[fx.Node], begin: int, end: int, wanted: set[str], images: int, why: str
    ) -> int:
        """Where the longest run ends that is not refused, found by halving."""
        low, high = begin, end - 1
        while low < high:
            middle = (low + high + 1) // 2
            try:
                self._segment(nodes[begin:middle], wanted).plan(images)
                low = middle
            except Refused as refused:
                high, why = middle - 1, str(refused)
        if nodes[low].name != self._told:
            self.refusals.append((nodes[low].name, why))
        self._told = nodes[low].name
        return low

    def _segment(self, nodes: list[fx.Node], wanted: set[str]) -> Segment:
        own = {node.name for node in nodes}
        outputs = [
            node
            for node in nodes
            if node.name in wanted or any(user.name not in own for user in node.users)
        ]
        return Segment(nodes, outputs, self.tensors, self.learning, self.precision)

    _told = ""

    def _leave(self, node: fx.Node) -> None:
        if node.name != self._told:
            self.refusals.append((node.name, f"the core has no {operation_name(node)}"))
        self.parts.append(node)


def _export(module: nn.Module, example: Tensor) -> Any:
    images = torch.export.Dim("images", min=2, max=1 << 16)
    if example.shape[0] < 2:
        example = torch.cat([example, example])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.export.export(
                module, (example,), dynamic_shapes=({0: images},), strict=False
            )
        except Exception as error:  # whatever tracing has against this net
            first_line = str(error).strip().split("\n")[0]
            raise OptionError(
                f"compiled: torch.export cannot trace this net: {first_line}"
            ) from error


def _in_pytorch(node: fx.Node, values: dict[str, Any]) -> Any:
    """One node, as PyTorch runs it; never in place: the core may still read its operand."""
    target = node.target
    assert callable(target)  # what the core does not know is a call of a function
    name = str(node.target).removeprefix("aten.").split(".")[0]
    if name.endswith("_") and not name.startswith("_"):
        packet = getattr(torch.ops.aten, name.rstrip("_"), None)
        target = target if packet is None else getattr(packet, str(node.target).split(".")[-1])
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: values[n.name])
    return target(*args, **kwargs)
