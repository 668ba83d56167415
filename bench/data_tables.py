"""Turn bench/results/data-*.jsonl and epoch-*.jsonl into the tables of docs/performance.md.

python bench/data_tables.py        prints nothing, rewrites the sections
"""

import json
import statistics
from pathlib import Path

from conv_tables import PAGE, RESULTS, markdown, replace_section

PARTS = "parts of darter"


def rows_of(pattern: str) -> list[dict]:
    (file,) = RESULTS.glob(pattern)
    return [json.loads(line) for line in file.read_text().splitlines()]


def machine(row: dict) -> str:
    return (
        f"{row['cpu']}, 1 thread, {row['isa']}; peak of the core in the same run "
        f"{row['gflops']} GFLOP/s, {row['gigabytes_per_second']} GB/s\n\n"
    )


def peers(rows: list[dict]) -> str:
    """One line for each job; darter's lead beside each peer."""
    rows = [row for row in rows if row["row"] != PARTS]
    names = list(dict.fromkeys(row["contestant"].split(" (")[0] for row in rows))
    lines = []
    for job in dict.fromkeys(row["row"] for row in rows):
        found = {r["contestant"].split(" (")[0]: r for r in rows if r["row"] == job}
        ours = found["darter"]["median"]
        line: dict = {"job": job}
        for name in names:
            if name not in found:
                line[name] = "–"
            elif name == "darter":
                line[name] = f"**{ours:.4g}**"
            else:
                median = found[name]["median"]
                less = " (no lens, no PCA noise)" if "(" in found[name]["contestant"] else ""
                line[name] = f"{median:.3g}, {ours / median:.2f} times{less}"
        lines.append(line)
    return machine(rows[0]) + markdown(
        {"job": "pictures per second"} | {n: n for n in names}, lines
    )


def parts(rows: list[dict]) -> str:
    lines = [
        {
            "part": row["contestant"],
            "rate": f"{row['median']:.0f}",
            "time": f"{1e6 / row['median']:.0f}",
        }
        for row in rows
        if row["row"] == PARTS
    ]
    columns = {"part": "part of darter", "rate": "pictures per second", "time": "µs per picture"}
    return markdown(columns, lines)


def epoch(record: dict) -> str:
    rounds = record["rounds"]
    files, tensor, waited = (
        statistics.median(row[name] for row in rounds) for name in ("files", "tensor", "waited")
    )
    added = statistics.median(row["files"] - row["tensor"] for row in rounds)
    cores = record["threads"]
    spent = statistics.median(row["files_spent"] - row["tensor_spent"] for row in rounds) / cores
    lines = [
        {"what": "epoch from files, decoded each time", "value": f"{files:.2f} s"},
        {"what": "epoch from a preloaded tensor", "value": f"{tensor:.2f} s"},
        {"what": "the model waits for pictures", "value": f"{waited / files:.2%}"},
        {"what": "the pictures add", "value": f"{added:.2f} s"},
        {"what": "the same in processor time, over the cores", "value": f"{spent:.2f} s"},
        {
            "what": "pictures alone, over the cores",
            "value": f"{record['loader']:.2f} s",
        },
    ]
    title = f"{record['pictures']} pictures at {record['size']}, {cores} threads"
    return markdown({"what": title, "value": f"median of {len(rounds)}"}, lines)


def main() -> None:
    page = Path(PAGE).read_text()
    rows = rows_of("data-*.jsonl")
    page = replace_section(page, "data", peers(rows))
    page = replace_section(page, "data-parts", parts(rows))
    page = replace_section(page, "epoch", epoch(rows_of("epoch-*.jsonl")[0]))
    Path(PAGE).write_text(page)


if __name__ == "__main__":
    main()
