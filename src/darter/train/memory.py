"""Where memory runs out in training: a sentence in place of the allocator's."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from darter.errors import OptionError

_ALLOCATOR = ("can't allocate memory", "not enough memory")  # of PyTorch, on Linux and elsewhere


class OutOfMemory(OptionError):
    """A training step needs more memory than there is."""


def out_of_memory(error: BaseException) -> OutOfMemory | None:
    """The sentence, where that is what an error is about."""
    of_cpu = isinstance(error, RuntimeError) and any(text in str(error) for text in _ALLOCATOR)
    if not (of_cpu or isinstance(error, MemoryError | torch.OutOfMemoryError)):
        return None
    return OutOfMemory(
        "training needs more memory than this process may take. Give a smaller --batch-size or "
        "--size, or a smaller net; a net that does not fit one process trains in parts with "
        "--workers 2 --parallel pipeline."
    )


@contextmanager
def enough_memory() -> Iterator[None]:
    """Raise OutOfMemory where memory runs out within the block."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if found := out_of_memory(error):
            raise found from error
        raise
