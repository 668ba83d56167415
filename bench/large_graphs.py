"""How long nets of 50,000 nodes take to be read, translated and planned, in seconds of the CPU.

    PYTHONPATH=. python bench/large_graphs.py
    PYTHONPATH=. python bench/large_graphs.py diamonds --nodes 10000

The graphs are those of tests/net/test_large_graphs.py, on pictures of 4 x 4, so that all of the
time is for the graph itself.
"""

import argparse
import tempfile
import time
from pathlib import Path

from darter.net import Programs, build, read_model
from tests.net.test_large_graphs import SHAPES


def measure(shape: str, nodes: int) -> tuple[float, float, float]:
    """Seconds for the file, the graph and the plan."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(SHAPES[shape](nodes).SerializeToString())
        began = time.thread_time()
        model = read_model(path)
        read = time.thread_time()
        graph = build(model, "x", (3, 4, 4), ("y",))
        translated = time.thread_time()
        Programs(lambda: graph, threads=1).program(2)
        return read - began, translated - read, time.thread_time() - translated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", help=f"of {', '.join(SHAPES)}; all by default")
    parser.add_argument("--nodes", type=int, default=50_000)
    options = parser.parse_args()
    print("| graph | read, s | translated, s | planned, s | all, s |\n|---|---|---|---|---|")
    for shape in options.shapes or SHAPES:
        seconds = measure(shape, options.nodes)
        cells = " | ".join(f"{each:.2f}" for each in (*seconds, sum(seconds)))
        print(f"| {shape} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
