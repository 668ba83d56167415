"""Einsum of one tensor or two: transposes, and one matrix product."""

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import text
from darter.net.translate.context import Translation

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def einsum(net: Translation, source: Node) -> None:
    ranks = [len(net.shape(name)) for name in source.inputs]
    terms, out = parse(text(source, "equation", ""), ranks)
    if len(terms) > 2:
        raise UnsupportedError(f"einsum of {len(terms)} tensors is not supported, only of 1 or 2")
    alone = [
        _summed(net, source, name, term, set(out).union(*(t for t in terms if t is not term)))
        for name, term in zip(source.inputs, terms, strict=True)
    ]
    name, found = alone[0] if len(alone) == 1 else _product(net, source, alone, out)
    order = tuple(found.index(letter) for letter in out)
    net.emit("Transpose", source, (name,), source.output, order=order)


def parse(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """A letter per axis of each operand, and of the result; "..." gets letters of its own.

    >>> parse("...ij,jk", [3, 2])
    (['Aij', 'jk'], 'Aik')
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks) or not equation.isascii():
        raise ModelFileError(f"equation {equation[:60]!r} is not for {len(ranks)} tensors")
    free = [letter for letter in LETTERS if letter not in equation]
    widths = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    most = max((w for t, w in zip(terms, widths, strict=True) if "..." in t), default=0)
    rest = "".join(free[: max(most, 0)])
    full = [
        t.replace("...", rest[len(rest) - max(w, 0) :]) for t, w in zip(terms, widths, strict=True)
    ]
    if not arrow:
        letters = sorted(set(left) - set(",."))
        right = ("..." if "..." in left else "") + "".join(x for x in letters if left.count(x) == 1)
    out = right.replace("...", rest)
    known = set("".join(full))
    for term, rank in zip(full, ranks, strict=True):
        if len(term) != rank or len(set(term)) != rank or not set(term) <= set(LETTERS):
            raise UnsupportedError(f"equation {equation[:60]!r} for tensors of rank {ranks}")
    if len(set(out)) != len(out) or not set(out) <= known:
        raise ModelFileError(f"equation {equation[:60]!r} gives axes that nothing has")
    return full, out


Named = tuple[str, str]  # a tensor, and a letter for each of its axes


def _summed(net: Translation, source: Node, name: str, term: str, kept: set[str]) -> Named:
    """The sum over what only this operand has."""
    axes = tuple(i for i, letter in enumerate(term) if letter not in kept)
    if not axes:
        return name, term
    total = net.between(source, f"sum.{term}")
    net.emit("Reduce", source, (name,), total, function="sum", axes=axes, keep_dims=False)
    return total, "".join(letter for letter in term if letter in kept)


def _product(net: Translation, source: Node, operands: list[Named], out: str) -> Named:
    """Two tensors as (both, rows, inner) x (both, inner, columns).

    Axes of the rows are outer ones, all but the last: pictures stay on an axis of their own.
    """
    if operands[0][0] in net.values:  # a constant is the second factor
        operands = operands[::-1]
    (a, left), (b, right) = operands
    both = [x for x in out if x in left and x in right]
    inner = [x for x in left if x in right and x not in out]
    rows, columns = ([x for x in t if x in out and x not in both] for t in (left, right))
    sizes = {x: s for n, t in operands for x, s in zip(t, net.shape(n), strict=True)}

    def arranged(name: str, term: str, order: list[str], shape: list[int | None], role: str) -> str:
        turned = name
        if list(term) != order:
            places = tuple(term.index(x) for x in order)
            turned = net.between(source, f"{role}.turned")
            net.emit("Transpose", source, (name,), turned, order=places)
        given = net.between(source, role)
        return net.emit("Reshape", source, (turned,), given, shape=tuple(shape))

    def times(letters: list[str]) -> int | None:
        if len(letters) == 1:
            return sizes[letters[0]]
        product = 1
        for x in letters:
            size = sizes[x]
            if size is None:
                raise UnsupportedError("joins the pictures with another axis")
            product *= size
        return product

    outer = rows[:-1]
    shape_a = [*(sizes[x] for x in (*both, *outer)), sizes[rows[-1]] if rows else 1, times(inner)]
    shape_b = [*(sizes[x] for x in both), *(1 for _ in outer), times(inner), times(columns)]
    left_name = arranged(a, left, [*both, *rows, *inner], shape_a, "left")
    right_name = arranged(b, right, [*both, *inner, *columns], shape_b, "right")
    product = net.emit("MatMul", source, (left_name, right_name), net.between(source, "product"))
    letters = [*both, *rows, *columns]
    shape = tuple(sizes[x] for x in letters)
    whole = net.emit("Reshape", source, (product,), net.between(source, "whole"), shape=shape)
    return whole, "".join(letters)
