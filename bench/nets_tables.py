"""Turn bench/results/nets.jsonl into the tables and the plot of docs/performance.md.

python bench/nets_tables.py        needs matplotlib; rewrites the sections between their marks
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean

from conv_tables import PAGE, PICTURES, RESULTS, machine, markdown

PEERS = ("eager", "inductor", "onnxruntime", "openvino", "ncnn", "mnn")
Cases = dict[tuple[str, int], dict[str, dict]]  # (net, batch) -> runtime -> its row


def cases(rows: Iterable[dict], precision: str, threads: int) -> Cases:
    """The last rows of every case."""
    found: Cases = {}
    for row in rows:
        if (row["precision"], row["threads"]) == (precision, threads):
            found.setdefault((row["net"], row["batch"]), {})[row["runtime"]] = row
    return found


def peak_memory(row: dict) -> float:
    """Megabytes above the interpreter with numpy, which has no part in it."""
    return row["peak_mb"] - row["before_mb"]


def table(found: Cases) -> str:
    lines = []
    names = [name for name in PEERS if any(name in rows for rows in found.values())]
    for (net, batch), rows in found.items():
        ours = rows["darter"]
        lines.append(
            {
                "net, batch": f"{net}, {batch}",
                **{name: rows[name]["ms"] if name in rows else "–" for name in names},
                "darter": ours["ms"],
                "min … max": f"{ours['min_ms']:.3g} … {ours['max_ms']:.3g}",
                "speedup": ours["speedup"],
                "of minima": ours["speedup_of_minima"],
                "MB": peak_memory(ours),
                "best peer's MB": min(peak_memory(rows[name]) for name in names if name in rows),
                "load, s": ours["load_s"],
            }
        )
    text = markdown({key: key for key in lines[0]}, lines)
    for key in ("speedup", "of minima"):
        values = [line[key] for line in lines]
        text += f"\nGeometric mean, {key}: {geometric_mean(values):.2f}; least {min(values):.2f}."
    return text + "\n"


def plot(found: Cases, file: Path) -> None:
    """Speedups over the best peer, one bar per net and batch."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "darter"
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    nets = list(dict.fromkeys(net for net, _ in found))
    batches = sorted({batch for _, batch in found})
    for i, (batch, color) in enumerate(zip(batches, ("#0b6e99", "#6a9f58"), strict=False)):
        pairs = [(j, found[net, batch]) for j, net in enumerate(nets) if (net, batch) in found]
        places = [j + 0.4 * i - 0.2 for j, _ in pairs]
        heights = [rows["darter"]["speedup_of_minima"] for _, rows in pairs]
        axes.bar(places, heights, 0.38, color=color, label=f"batch {batch}")
    axes.axhline(1, color="#666", linestyle=":")
    axes.set_xticks(range(len(nets)), nets, rotation=20, ha="right")
    axes.set(ylabel="best peer's time / darter's")
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    rows = [json.loads(line) for line in (RESULTS / "nets.jsonl").read_text().splitlines()]
    text = PAGE.read_text()
    for precision in ("float32", "bfloat16"):
        for threads in (1, 2):
            name = f"nets-{precision}-{threads}"
            found = cases(rows, precision, threads)
            if not found:
                continue
            first = [next(iter(found.values()))["darter"]]
            section = f"<!-- {name} -->\n{machine(first)}{table(found)}<!-- end {name} -->"
            text = re.sub(
                f"<!-- {name} -->.*<!-- end {name} -->", lambda _, s=section: s, text, flags=re.S
            )
            if name == "nets-float32-1":
                plot(found, PICTURES / "nets.svg")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
