"""From a graph to the list of steps."""

from collections.abc import Callable
from dataclasses import replace

from darter.kernels import FLOATS, NO_ACTIVATION, PLAIN, Element, steps, using_at_most
from darter.net.graph import Graph
from darter.net.plan.builder import Builder
from darter.net.plan.emit import EMIT
from darter.net.plan.front import crossing, front
from darter.net.plan.limits import check_total
from darter.net.plan.options import Options
from darter.net.plan.packed import Packed
from darter.net.plan.storage import ARENA, OUTPUT, Storage, Value, arrange

HANDED = (*FLOATS, Element.uint8)  # from one program to another; integers are never slices
Release = Callable[[], None] | None


def emitted(
    graph: Graph, batch: int, options: Options, packed: Packed, release: Release = None
) -> Builder:
    """The steps of a plan; `release` is called when weights have been dropped (see `Program`)."""
    build = Builder(graph, batch, options, packed)
    cut = front(graph, batch, options, packed)
    if cut:
        _emit_front(build, cut, batch, release)
    _emit(build, build, range(cut, len(graph.nodes)), release)
    for number, name in enumerate(graph.outputs):
        _give_out(build, name, number)
    return build


def assemble(build: Builder) -> steps.Program:
    """The core's program; memory is first checked, then taken."""
    arena = arena_bytes(build)
    check_total(build.options, arena, sum(step.core.weight_bytes for step in build.steps))
    core = steps.Program(arena)
    for array in build.constants:
        core.add_constant(array)
    for step in build.steps:
        reads, writes = ([v.place for v in values] for values in (step.reads, step.writes))
        core.add(step.core, reads, writes)
    return core


def arena_bytes(build: Builder) -> int:
    return arrange([s for s in build.storages if s.where == ARENA and s.first >= 0])


def _emit(build: Builder, owner: Builder, numbers: range, release: Release) -> None:
    """owner: of the weights; knows which are still needed."""
    for number in numbers:
        node = owner.graph.nodes[number]
        build.begin(number, node)
        EMIT[node.op](build, node)
        if release is not None:
            owner.begin(number, node)
            if owner.let_go():
                release()


def _emit_front(build: Builder, cut: int, batch: int, release: Release) -> None:
    """The first nodes as a program for one picture, in one step for all."""
    graph, names = build.graph, crossing(build.graph, cut)
    # Each thread takes pictures of its own, where there are enough: none waits for another.
    apart = batch >= build.options.threads
    options = replace(build.options, threads=1 if apart else build.options.threads)
    first = replace(graph, nodes=graph.nodes[:cut], outputs=tuple(names))
    inner = Builder(first, 1, options, build.packed)
    with using_at_most(options.threads):
        _emit(inner, build, range(cut), release)
        for number, name in enumerate(names):
            _give_out_blocked(inner, name, number)
    reads = [build.plain(name) for name in graph.inputs]
    layouts = [inner.blocked(name, 1, HANDED).layout for name in names]
    writes = [build.new_whole(name, layout) for name, layout in zip(names, layouts, strict=True)]
    sizes = ([v.layout.bytes((1, *v.shape[1:])) for v in values] for values in (reads, writes))
    program = assemble(inner)
    build.inner = inner, program
    core = steps.repeat_step(program, batch, *sizes)
    build.begin(0, graph.nodes[0])
    how = "pictures side by side" if apart else "picture by picture"
    adds = batch * sum(step.multiply_adds for step in inner.steps)
    build.emit(core, reads, writes, how, adds)


def _give_out_blocked(build: Builder, name: str, number: int) -> None:
    """Let a tensor be written where the outer program wants it, blocked."""
    value = build.blocked(name, 1, HANDED)
    storage = value.storage
    if storage.where == ARENA and not storage.in_parts and value.whole and not value.offset:
        storage.where, storage.index = OUTPUT, number
        return
    storage = Storage(value.layout.bytes(value.shape), OUTPUT, number)
    target = Value(storage, value.shape, value.layout, 0, value.own_blocks)
    core = steps.activation_step(value.array, target.array, NO_ACTIVATION)
    build.emit(core, [value], [target], "copy")


def _give_out(build: Builder, name: str, number: int) -> None:
    """Copy a tensor to where the caller wants it."""
    shape = build.shapes[name]
    target = Value(Storage(PLAIN.bytes(shape), OUTPUT, number), shape)
    if build.axis(name) == 1:
        source = build.blocked(name)
        build.emit(steps.from_blocked_step(source.array), [source], [target], "output")
        return
    source, size = build.plain(name), PLAIN.numbers(shape)
    core = steps.move_step([(0, 0, 0, 0, [size], [1], [1])])
    build.emit(core, [source], [target], "output")
