"""How much slower the estimated choice is than the best measured one.

python bench/conv_choice.py        reads bench/results/conv-layers.jsonl, times nothing
"""

import json
import os
import tempfile
from pathlib import Path

from darter.conv import ConvSpec, choose
from darter.kernels import set_threads

RESULTS = Path(__file__).parent / "results" / "conv-layers.jsonl"


def main() -> None:
    os.environ["DARTER_CACHE"] = tempfile.mkdtemp()  # estimates, not remembered times
    timed: dict[str, dict[str, float]] = {}
    for line in RESULTS.read_text().splitlines():
        row = json.loads(line)
        set_threads(row["threads"])  # as it was timed
        timed.setdefault(row["layer"], {})[row["algorithm"]] = row["middle"]
    losses = []
    for layer, times in timed.items():
        chosen = choose(ConvSpec.parse(layer)).algorithm
        best = min(times, key=times.__getitem__)
        losses.append(times[chosen] / times[best])
        if losses[-1] > 1.03:
            print(f"{layer}: chosen {chosen}, best {best}, {losses[-1]:.2f} times its time")
    mean = sum(losses) / len(losses)
    print(f"{len(losses)} layers: mean {mean:.3f}, worst {max(losses):.2f} times the best")


if __name__ == "__main__":
    main()
