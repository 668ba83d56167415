"""What compares and chooses. Truth values are 1 and 0, places whole numbers, all in float32."""

from darter.errors import ModelFileError
from darter.net.graph import Node
from darter.net.shapes import check_axis
from darter.net.translate.attributes import integer
from darter.net.translate.context import Translation


def compare(function: str, *, turned: bool = False, negated: bool = False):
    """A translation for a comparison. turned: of the second with the first."""

    def translate(net: Translation, source: Node) -> None:
        pair = source.inputs[::-1] if turned else source.inputs
        if not negated:
            net.emit("Eltwise", source, pair, source.output, function=function)
        else:
            other = net.between(source, "other")
            net.emit("Eltwise", source, pair, other, function=function)
            _negate(net, source, other)
        net.whole.add(source.output)

    return translate


def logical_not(net: Translation, source: Node) -> None:
    _negate(net, source, source.inputs[0])
    net.whole.add(source.output)


def logical(function: str):
    """A translation for "and" and "or" of values that are 1 or 0."""

    def translate(net: Translation, source: Node) -> None:
        net.emit("Eltwise", source, source.inputs, source.output, function=function)
        net.whole.add(source.output)

    return translate


def where(net: Translation, source: Node) -> None:
    net.emit("Where", source, source.inputs, source.output)
    if all(name in net.whole for name in source.inputs[1:]):
        net.whole.add(source.output)


def arg(*, least: bool):
    """A translation for the place of the largest value, or the least."""

    def translate(net: Translation, source: Node) -> None:
        x = source.inputs[0]
        net.emit(
            "Arg",
            source,
            (x,),
            source.output,
            axis=check_axis(integer(source, "axis", 0), net.dims(x)[0]),
            keep_dims=bool(integer(source, "keepdims", 1)),
            least=least,
            last=bool(integer(source, "select_last_index", 0)),
        )
        net.whole.add(source.output)

    return translate


def threshold(net: Translation, source: Node) -> None:
    """ThresholdedRelu: x where it is above alpha, else 0."""
    alpha = source.attributes.get("alpha", 1.0)
    if not isinstance(alpha, float | int):
        raise ModelFileError("alpha must be a number")
    x, zero = source.inputs[0], net.weight(source, "zero", 0.0)
    above, bound = net.between(source, "above"), net.weight(source, "alpha", alpha)
    net.emit("Eltwise", source, (bound, x), above, function="less")
    net.emit("Where", source, (above, x, zero), source.output)


def _negate(net: Translation, source: Node, name: str) -> None:
    one = net.weight(source, "one", 1.0)
    net.emit("Eltwise", source, (one, name), source.output, function="sub")
