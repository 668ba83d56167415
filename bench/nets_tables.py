"""Turn bench/results/nets.jsonl (of `darter bench`) into tables and plots in docs/performance.md.

python bench/nets_tables.py        needs matplotlib; rewrites the sections between their marks
"""

import json
import re
from collections.abc import Iterable
from statistics import geometric_mean

from conv_tables import PAGE, PICTURES, RESULTS, machine, markdown

from darter.bench.plot import plot_speedups

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
            if name == "nets-float32-2":
                speedups = {case: rows["darter"]["speedup"] for case, rows in found.items()}
                plot_speedups(speedups, PICTURES / "nets.svg")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
