"""The sources of noise that answers are averaged over, from their names."""

from collections.abc import Iterable
from dataclasses import dataclass

from darter.errors import OptionError
from darter.picture import draws_of, is_look

SAMPLED = ("dropout", "dropconnect")
CHOICES = (
    "views:10x5",
    "flip",
    "augment:8",
    "dropout:16",
    "dropconnect:16",
    "dropconnect-gaussian:16",
    "models",
)


@dataclass(frozen=True)
class Sources:
    """looks: ways to look at each picture, for `darter.picture.make_look`.
    kept_on: kinds of layers that stay noisy.   draws: of these, for each look and model.
    gaussian: DropConnect draws its pre-activations, not its weights.   models: all of them."""

    looks: tuple[str, ...] = ()
    kept_on: tuple[str, ...] = ()
    draws: int = 1
    gaussian: bool = False
    models: bool = False


def parse_sources(over: Iterable[str]) -> Sources:
    """`["views:10x5", "dropout:16", "models"]` as a value.

    Looks are listed one after the other; layers that stay noisy do so together, and need the same
    number of draws. OptionError names the choices for anything else.
    """
    looks: list[str] = []
    draws: dict[str, int] = {}
    gaussian = models = False
    for source in over:
        name = source.partition(":")[0]
        if source == "models":
            models = True
        elif is_look(source):
            looks.append(source)
        elif name in (*SAMPLED, "dropconnect-gaussian"):
            gaussian |= name.endswith("gaussian")
            draws[name.removesuffix("-gaussian")] = draws_of(source)
        else:
            raise OptionError(
                f"{source!r} is no source of noise; choose of {', '.join(CHOICES)}, or none"
            )
    if len(set(draws.values())) > 1:
        raise OptionError(f"layers that stay noisy together need one number of draws; got {draws}")
    count = next(iter(draws.values()), 1)
    return Sources(tuple(looks), tuple(draws), count, gaussian, models)
