"""The process that loads and runs damaged files: one line "number outcome" for each."""

import resource
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import darter
from darter.errors import DarterError
from darter.names import to_json
from tests.fuzz.damage import damaged

AUTO = 4  # every so many files may run on ONNX Runtime
PICTURE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


def outcome(content: bytes, folder: Path, runtime: str = "darter") -> str:
    """ "ran", or the name of what was raised.

    A classifier says what is in a picture, any net runs on two.
    """
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        session = darter.load(path, runtime=runtime, threads=1)
        given = session.signature
        session.run(np.ones((2, given.channels, *given.sides(None, 224)), np.float32))
        for answer in session([PICTURE]):
            to_json(answer.to_json())
    except DarterError as error:
        return type(error).__name__
    return "ran"


def main(first: int, stop: int, memory: int) -> None:
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("error", RuntimeWarning)
    warnings.filterwarnings("ignore", ".*runs on ONNX Runtime", RuntimeWarning)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, stop):
            runtime = "darter" if number % AUTO else "auto"
            print(number, outcome(damaged(number), Path(folder), runtime), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
