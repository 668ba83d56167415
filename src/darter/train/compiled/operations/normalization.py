"""Batch normalization by the statistics of the batch or by kept ones, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import fx

from darter.kernels import Activated, ActivationKind, training_steps
from darter.train.compiled.builder import Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations.table import argument, operation
from darter.train.compiled.shapes import Refused

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer


@operation("batch_norm")
def batch_norm(writer: Writer, node: fx.Node) -> None:
    """Statistics here; the pass that normalizes is written where all it takes is there."""
    y, build = writer.blocked(node.args[0]), writer.build
    gamma, beta, mean, variance = (writer.optional(argument(node, i, "")) for i in range(1, 5))
    settings: Any = node.args[5:8]
    training, momentum, epsilon = settings
    blocks = -(-y.channels // 16) * 16
    vectors = Ref(training_steps.VECTORS * blocks, fixed=True)
    places = tuple(NOTHING if p is None else writer.given(p) for p in (gamma, beta, mean, variance))
    if training:
        if build.images * y.h * y.w < 2:
            raise Refused("batch statistics need more than one number per channel")
        sums = build.sums(y)
        y.users += 1
        build.emit(
            "statistics", y.planes, y.ref, sums, vectors, *places, float(momentum), float(epsilon),
            reads=(y.ref,), writes=(sums,), reduces=(vectors,),
        )  # fmt: skip
    else:
        build.emit(
            "frozen_statistics", y.planes, vectors, *places, float(epsilon),
            reads=(), writes=(), reduces=(vectors,),
        )  # fmt: skip
    learns = y.learns or any(p is not None and writer.learns(p) for p in (gamma, beta))
    chain = writer.fused_after(node)  # (residual, activation, the last node)
    writer.pending(chain.last, lambda: normalize(
        writer, y, vectors, chain, (gamma, beta), learns=learns, frozen=not training
    ))  # fmt: skip


def normalize(
    writer: Writer, y: Value, vectors: Ref, chain: Any, scales: tuple[Any, Any], *, learns: bool,
    frozen: bool,
) -> None:  # fmt: skip
    build = writer.build
    residual = None if chain.residual is None else writer.blocked(chain.residual)
    z = build.value(y.channels, y.h, y.w, learns=learns)
    z.learns |= residual is not None and residual.learns
    added = NOTHING if residual is None else residual.ref

    def write(to: Ref) -> None:
        build.emit(
            "normalize", y.planes, y.ref, added, to, vectors, chain.activation,
            reads=(y.ref, vectors, added), writes=(to,),
        )  # fmt: skip

    write(z.ref)
    y.users += 1
    if residual is not None:
        residual.users += 1
    else:

        def again() -> Ref:
            made = build.like(z).ref
            write(made)
            return made

        z.remake = again
    writer.put(chain.last, z)
    if z.learns:
        build.back(
            lambda: normalize_back(writer, y, z, residual, vectors, chain.activation, scales,
                                   frozen=frozen)
        )  # fmt: skip


def normalize_back(
    writer: Writer, y: Value, z: Value, residual: Value | None, vectors: Ref, activation: Activated,
    scales: tuple[Any, Any], *, frozen: bool,
) -> None:  # fmt: skip
    build, dz = writer.build, z.gradient
    if dz is None:
        return
    mask = z.ref if residual is not None and activation[0] != ActivationKind.none else NOTHING
    places = [writer.gradient(p) if p is not None and writer.learns(p) else NOTHING for p in scales]
    dresidual, accumulate = NOTHING, False
    if residual is not None and residual.learns:
        dresidual, accumulate = build.wanted(residual)
    sums = build.sums(y)
    build.emit(
        "normalize_sums", y.planes, dz, y.ref, mask, dresidual, accumulate, sums, vectors, *places,
        activation, frozen, reads=(dz, y.ref, mask, vectors), writes=(sums, dresidual),
        reduces=(vectors, *places),
    )  # fmt: skip
    if not y.learns:
        return
    dy, accumulate = build.wanted(y)
    build.emit(
        "normalize_gradient", y.planes, dz, y.ref, mask, dy, accumulate, vectors, activation,
        reads=(dz, y.ref, mask, vectors), writes=(dy,),
    )  # fmt: skip
