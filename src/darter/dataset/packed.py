"""A pack as the data set that it was made from."""

from dataclasses import dataclass
from pathlib import Path

from darter.dataset.sample import Sample
from darter.locks import cached_property
from darter.picture import Member, ShardIndex, read_index


@dataclass(frozen=True)
class Pack:
    """samples: in the order that the folder's listing had.   members: path -> where it is."""

    index: ShardIndex

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(Sample(e.path, e.target, e.split, e.group) for e in self.index.entries)

    @property
    def strangers(self) -> tuple[Path, ...]:
        """Pictures of a folder `unknown`, which was no class when it was packed."""
        return self.index.strangers

    @property
    def members(self) -> dict[Path, Member]:
        return self.index.members

    @property
    def shards(self) -> tuple[Path, ...]:
        return self.index.shards


def open_pack(root: Path | str) -> Pack:
    """The pack in a folder. DataError where the index or a shard is not whole."""
    return Pack(read_index(root))
