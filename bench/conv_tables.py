"""Turn bench/results/conv-*.jsonl into the tables and the plot of docs/performance.md.

python bench/conv_tables.py        needs matplotlib; prints nothing, rewrites the section
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "pictures" / "vgg-e.svg"


def rows_of(name: str) -> list[dict]:
    file = RESULTS / f"conv-{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def markdown(columns: dict[str, str], rows: list[dict]) -> str:
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(show(row[key]) for key in columns) + " |" for row in rows]
    return "\n".join(lines)


def show(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and value < 1000 else (
        f"{value:.0f}" if isinstance(value, float) else str(value)
    )  # fmt: skip


def machine(row: dict) -> str:
    return (
        f"{row['cpu']}, {row['threads']} threads, {row['isa']}; peak in the same run "
        f"{row['peak_gflops']:.0f} GFLOP/s"
    )


def sequence_table(rows: list[dict]) -> str:
    columns = {
        "batch": "N", "torch_ms": "PyTorch, ms", "darter_ms": "darter, ms",
        "torch_gflops": "PyTorch, GFLOP/s", "darter_gflops": "darter, GFLOP/s",
        "speedup": "speedup",
    }  # fmt: skip
    return markdown(columns, rows)


def layer_table(rows: list[dict]) -> str:
    """One line per layer: the direct algorithm, and the fastest."""
    lines = []
    for layer in dict.fromkeys(row["layer"] for row in rows):
        timed = {row["algorithm"]: row for row in rows if row["layer"] == layer}
        best = min(timed.values(), key=lambda row: row["middle"])
        shown = {name: row["gflops"] for name, row in timed.items()}
        line = {"layer": layer, "best": best["algorithm"], "ms": best["middle"]}
        for name in ("im2col", "direct", "winograd-2", "winograd-4", "winograd-6", "fft-16"):
            line[name] = shown.get(name, "–")
        lines.append(line)
    return markdown({key: key for key in lines[0]}, lines)


def filter_table(rows: list[dict]) -> str:
    """One line per filter size, one column per algorithm."""
    names = list(dict.fromkeys(row["algorithm"] for row in rows))
    lines = []
    for layer in dict.fromkeys(row["layer"] for row in rows):
        shown = {r["algorithm"]: r["gflops"] for r in rows if r["layer"] == layer}
        lines.append({"filter": layer, **{name: shown.get(name, "–") for name in sorted(names)}})
    return markdown({key: key for key in lines[0]}, lines)


def plot(rows: list[dict]) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "darter"
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    batches = [str(row["batch"]) for row in rows]
    for name, color in (("darter", "#0b6e99"), ("torch", "#b0562b")):
        label = "darter" if name == "darter" else "PyTorch (oneDNN)"
        axes.plot(batches, [r[f"{name}_gflops"] for r in rows], "o-", color=color, label=label)
    axes.axhline(rows[0]["peak_gflops"], color="#666", linestyle=":", label="float32 peak")
    axes.set(xlabel="N", ylabel="effective GFLOP/s", ylim=(0, None), title="VGG-E, float32")
    axes.legend(frameon=False)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})


def replace_section(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


def main() -> None:
    page = PAGE.read_text()
    if rows := rows_of("vgg-e"):
        page = replace_section(page, "vgg-e", machine(rows[0]) + "\n\n" + sequence_table(rows))
        plot(rows)
    if rows := rows_of("vgg-e-bfloat16"):
        text = machine(rows[0]) + "\n\n" + sequence_table(rows)
        page = replace_section(page, "vgg-e-bfloat16", text)
    if rows := rows_of("filters"):
        page = replace_section(page, "filters", machine(rows[0]) + "\n\n" + filter_table(rows))
    if rows := rows_of("depthwise"):
        page = replace_section(page, "depthwise", machine(rows[0]) + "\n\n" + filter_table(rows))
    if rows := rows_of("gemm"):
        keys = ("n", "torch", "blocked", "strassen", "strassen-2", "speedup")
        table = markdown({key: key for key in keys}, rows)
        page = replace_section(page, "gemm", machine(rows[0]) + "\n\n" + table)
    if rows := rows_of("layers"):
        page = replace_section(page, "layers", machine(rows[0]) + "\n\n" + layer_table(rows))
    if rows := rows_of("peers") + rows_of("peers-1-thread"):
        peers = ("onnxruntime", "openvino", "mnn", "ncnn")
        lines = [
            {"what": r["what"], "threads": r["threads"],
             **{p: r.get(f"{p}_min_ms", "–") for p in peers},
             "darter": r["darter_min_ms"], "speedup": r["speedup"], "GFLOP/s": r["gflops"]}
            for r in rows
        ]  # fmt: skip
        table = markdown({key: key for key in lines[0]}, lines)
        page = replace_section(page, "peers", machine(rows[0]) + "\n\n" + table)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
