"""The process that loads and runs damaged files: one line "number outcome" for each."""

import resource
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import darter
from darter.errors import DarterError
from tests.fuzz.damage import damaged


def outcome(content: bytes, folder: Path) -> str:
    """ "ran", or the name of what was raised."""
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        session = darter.load(path, runtime="darter", threads=1)
        given = session.signature
        session.run(np.ones((2, given.channels, *given.sides(None, 224)), np.float32))
    except DarterError as error:
        return type(error).__name__
    return "ran"


def main(first: int, stop: int, memory: int) -> None:
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("error", RuntimeWarning)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, stop):
            print(number, outcome(damaged(number), Path(folder)), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
