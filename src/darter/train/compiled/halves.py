"""Maps in 16 bits: what chains keep for each other is bfloat16, what they compute with is float32.

Half the memory, and half the bytes between the caches and it. A chain widens what others left when
it first needs it, an image at a time. What others need is rounded, to nearest with ties to even,
when the last of its steps has written it.
"""

from dataclasses import replace
from typing import Any

from darter.train.compiled.chains import Chain, Item, Ref


def halve(chains: list[Chain]) -> None:
    """Give each chain float32 arrays of its own in place of short ones; fill and keep them."""
    users: dict[Ref, list[Chain]] = {}
    for chain in chains:
        short = (ref for item in chain.items for ref in item.refs() if ref.short)
        for ref in dict.fromkeys(short):
            users.setdefault(ref, []).append(chain)
    for ref, all_users in users.items():
        for chain in all_users:
            wide = Ref(ref.floats)
            _replace(chain, ref, wide)
            if chain is not all_users[0]:
                at = min(_places(chain, wide))
                chain.items.insert(at, _move("widen", ref, wide))
            written = [i for i in _places(chain, wide) if wide in chain.items[i].writes]
            written = [i for i in written if chain.items[i].function != "widen"]
            if written and chain is not all_users[-1]:
                chain.items.insert(max(written) + 1, _move("shorten", wide, ref))


def _move(function: str, source: Ref, to: Ref) -> Item:
    return Item(function, (source.floats, source, to), reads=(source,), writes=(to,))


def _places(chain: Chain, ref: Ref) -> list[int]:
    return [i for i, item in enumerate(chain.items) if ref in item.refs()]


def _replace(chain: Chain, ref: Ref, other: Ref) -> None:
    def settle(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(other if value is ref else value for value in values)

    chain.items = [
        replace(
            item,
            arguments=settle(item.arguments),
            reads=settle(item.reads),
            writes=settle(item.writes),
            reduces=settle(item.reduces),
        )
        if ref in item.refs()
        else item
        for item in chain.items
    ]
