"""Turn bench/results/conv-*.jsonl into tables and plots: docs/performance.md, docs/layers.md.

python bench/conv_tables.py        needs matplotlib; prints nothing, rewrites the sections

Files of another CPU end in its name, like conv-vgg-e-intel.jsonl; so do their sections.
"""

import json
import re
from pathlib import Path

from darter.conv import ConvSpec

ROOT = Path(__file__).parents[1]
OTHER_CPUS = ("-intel",)
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
LAYERS = ROOT / "docs" / "layers.md"
PICTURES = ROOT / "docs" / "pictures"
SHOWN = (
    "im2col", "direct", "winograd-2", "winograd-4", "winograd-4-on-the-fly", "winograd-6", "fft-16",
    "fft-32",
)  # fmt: skip


def rows_of(name: str) -> list[dict]:
    file = RESULTS / f"conv-{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def markdown(columns: dict[str, str], rows: list[dict]) -> str:
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(show(row[key]) for key in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def show(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and value < 1000 else (
        f"{value:.0f}" if isinstance(value, float) else str(value)
    )  # fmt: skip


def machine(rows: list[dict]) -> str:
    row = rows[0]
    low, high = (f"{limit([r['peak_gflops'] for r in rows]):.0f}" for limit in (min, max))
    peak = low if low == high else f"{low} to {high}"
    threads = f"{row['threads']} thread" + ("s" if row["threads"] > 1 else "")
    return f"{row['cpu']}, {threads}, {row['isa']}; peak in the same run {peak} GFLOP/s\n\n"


def sequence_table(rows: list[dict]) -> str:
    columns = {
        "batch": "N", "torch_ms": "PyTorch, ms", "darter_ms": "darter, ms",
        "torch_gflops": "PyTorch, GFLOP/s", "darter_gflops": "darter, GFLOP/s",
        "of_peak": "of the float32 peak", "speedup": "speedup",
    }  # fmt: skip
    for row in rows:
        row["of_peak"] = row["darter_gflops"] / row["peak_gflops"]
    return markdown(columns, rows)


def by_budget(rows: list[dict]) -> dict[str, list[dict]]:
    budgets: dict[str, list[dict]] = {}
    for row in rows:
        budgets.setdefault(f"rms error below {row['max_error']:g}", []).append(row)
    return budgets


def budget_tables(rows: list[dict]) -> str:
    return "\n".join(f"{name}:\n\n{sequence_table(r)}" for name, r in by_budget(rows).items())


def best_of(rows: list[dict]) -> dict[str, dict]:
    """The fastest algorithm of every layer."""
    best: dict[str, dict] = {}
    for row in rows:
        if row["layer"] not in best or row["middle"] < best[row["layer"]]["middle"]:
            best[row["layer"]] = row
    return best


def layer_table(rows: list[dict]) -> str:
    """One line per layer, one column per algorithm."""
    lines = []
    for layer, best in best_of(rows).items():
        line = {
            "layer": layer, "times": best["times"], "best": best["algorithm"],
            "ms": best["middle"], "of peak": best["of_peak"], "limit of peak": best["limit"],
        }  # fmt: skip
        timed = {row["algorithm"]: row["gflops"] for row in rows if row["layer"] == layer}
        lines.append({**line, **{name: timed.get(name, "–") for name in SHOWN}})
    return markdown({key: key for key in lines[0]}, lines)


def net_table(nets: dict[str, list[dict]]) -> str:
    """One line per net: its layers, each by its fastest algorithm."""
    lines = []
    for net, rows in nets.items():
        layers = best_of(rows).values()
        ms = sum(row["middle"] * row["times"] for row in layers)
        gflop = sum(row["gflops"] * row["middle"] * row["times"] for row in layers) / 1e3
        used = sorted({row["algorithm"] for row in layers})
        lines.append(
            {"net": net, "distinct layers": len(layers), "GFLOP": gflop, "ms": ms,
             "GFLOP/s": 1e3 * gflop / ms, "of peak": 1e3 * gflop / ms / rows[0]["peak_gflops"],
             "fastest": ", ".join(used)}
        )  # fmt: skip
    return markdown({key: key for key in lines[0]}, lines)


def square_table(rows: list[dict]) -> str:
    """3x3 layers, stride 1, with 64 to 512 channels."""
    lines = []
    for layer, row in best_of(rows).items():
        spec = ConvSpec.parse(layer)
        if spec.w[2:] == (3, 3) and spec.stride == (1, 1) and 64 <= spec.w[1] <= 512:
            lines.append(row)
    columns = {
        "layer": "layer", "algorithm": "fastest", "gflops": "GFLOP/s", "of_peak": "of peak",
        "limit": "limit of peak",
    }  # fmt: skip
    return markdown(columns, sorted(lines, key=lambda row: -row["of_peak"]))


def filter_table(rows: list[dict]) -> str:
    """One line per filter size, one column per algorithm."""
    names = list(dict.fromkeys(row["algorithm"] for row in rows))
    lines = []
    for layer in dict.fromkeys(row["layer"] for row in rows):
        shown = {r["algorithm"]: r["gflops"] for r in rows if r["layer"] == layer}
        lines.append({"filter": layer, **{name: shown.get(name, "–") for name in sorted(names)}})
    return markdown({key: key for key in lines[0]}, lines)


def gemm_table(rows: list[dict]) -> str:
    keys = ("n", "torch", "blocked", "strassen", "strassen-2", "speedup")
    columns = {key: key for key in (*keys, *(k for k in rows[0] if k.endswith("bfloat16")))}
    return markdown(columns, rows)


def peer_table(rows: list[dict]) -> str:
    peers = ("onnxruntime", "openvino", "mnn", "ncnn")
    lines = [
        {"what": r["what"], "threads": r["threads"],
         **{p: r.get(f"{p}_min_ms", "–") for p in peers},
         "darter": r["darter_min_ms"], "speedup": r["speedup"], "GFLOP/s": r["gflops"]}
        for r in rows
    ]  # fmt: skip
    return markdown({key: key for key in lines[0]}, lines)


def plain_table(rows: list[dict]) -> str:
    columns = {
        "batch": "N", "name": "layer", "times": "times", "torch_ms": "PyTorch, ms",
        "darter_ms": "darter, ms", "low": "min", "high": "max", "blocked_ms": "on blocked arrays",
        "products_ms": "products at the peak", "memory_ms": "memory", "speedup": "speedup",
    }  # fmt: skip
    return markdown(columns, [{**dict.fromkeys(columns, "–"), **row} for row in rows])


def plot(name: str, title: str, curves: dict[str, list[dict]]) -> None:
    """Effective GFLOP/s by batch size: PyTorch, and darter once per name in `curves`."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "darter"
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for (label, rows), color in zip(curves.items(), ("#0b6e99", "#6a9f58"), strict=False):
        batches = [str(row["batch"]) for row in rows]
        axes.plot(batches, [r["darter_gflops"] for r in rows], "o-", color=color, label=label)
    axes.plot(
        batches, [r["torch_gflops"] for r in rows], "o-", color="#b0562b", label="PyTorch (oneDNN)"
    )
    peak = max(row["peak_gflops"] for row in rows)
    axes.axhline(peak, color="#666", linestyle=":", label="float32 peak")
    axes.set(xlabel="N", ylabel="effective GFLOP/s", ylim=(0, None), title=title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / name, metadata={"Date": None})


def replace_section(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: f"{begin}\n{text}{end}", page, flags=re.DOTALL)


def write_layers(nets: dict[str, list[dict]]) -> None:
    text = """# Every layer of five nets, by every algorithm

Written by `python bench/conv_tables.py`; do not edit by hand.

One picture. Effective GFLOP/s (medians; FLOPs of the direct algorithm over time) with cold filters,
as inside a net; `python bench/conv_layers.py NET`. "times": how often the net has the layer.
"limit": what no algorithm here can exceed, were its transforms free: products at the peak, or
packed filters from memory. A dash: not for this shape, or estimated at eight times the best.
"""
    for net, rows in nets.items():
        text += f"\n## {net}\n\n{machine(rows)}{layer_table(rows)}"
    LAYERS.write_text(text)


def replace_tables(page: str, cpu: str) -> str:
    """All tables of a CPU.   cpu: how its files and sections end; "" of the first one."""
    tables = {
        "vgg-e": sequence_table, "vgg-e-bfloat16": budget_tables, "filters": filter_table,
        "depthwise": filter_table, "gemm": gemm_table, "gemm-2": gemm_table, "peers": peer_table,
        "plain": plain_table,
    }  # fmt: skip
    for name, table in tables.items():
        if rows := rows_of(name + cpu):
            page = replace_section(page, name + cpu, machine(rows) + table(rows))
    for name, section in (("layers", "3x3"), ("layers-8", "3x3-8")):
        if rows := rows_of(name + cpu):
            page = replace_section(page, section + cpu, machine(rows) + square_table(rows))
    return page


def main() -> None:
    page = PAGE.read_text()
    for cpu in ("", *OTHER_CPUS):
        page = replace_tables(page, cpu)
    if rows := rows_of("vgg-e"):
        plot("vgg-e.svg", "VGG-E, float32", {"darter, rms error below 1e-5": rows})
    if rows := rows_of("vgg-e-bfloat16"):
        curves = {f"darter, {name}": rows for name, rows in by_budget(rows).items()}
        plot("vgg-e-bfloat16.svg", "VGG-E, PyTorch in bfloat16", curves)
    if rows := rows_of("layers"):
        nets: dict[str, list[dict]] = {}
        for row in rows:
            nets.setdefault(row["net"], []).append(row)
        page = replace_section(page, "nets", machine(rows) + net_table(nets))
        write_layers(nets)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
