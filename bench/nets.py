"""Whole nets: darter beside other runtimes, in one run.

    python bench/nets.py /path/to/peers/bin/python [--nets resnet18 ...] [--batches 1 8]
    python bench/nets.py ... --precision bfloat16         # beside OpenVINO in bfloat16

The peers' environment needs numpy onnx onnxruntime openvino MNN ncnn pnnx. Random weights: speed
does not depend on them. Every runtime has a process of its own, loads the net, and is checked
against PyTorch's output before it is timed; then all take turns, so that a slow second of the
machine hits everybody. ncnn runs single pictures only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean, median
from time import sleep

from darter.conv.benchmark import append_records
from darter.kernels import measure_peak, threads

NETS = {
    "vgg19": 224, "resnet18": 224, "resnet50": 224, "googlenet": 224, "alexnet": 224,
    "inception_v3": 299, "efficientnet_lite0": 224, "mobilenet_v2": 224,
}  # fmt: skip
FADING = ("googlenet",)  # without its statistics all answers are the same
PEERS = {"float32": ("eager", "onnxruntime", "openvino", "ncnn", "mnn"), "bfloat16": ("openvino",)}
OURS = ("darter", "eager", "inductor")  # run in darter's own environment
SETTLE = 0.1  # seconds between turns: idle threads of others have stopped spinning


def export(name: str, folder: Path) -> None:
    """Write the net as ONNX and for PyTorch, with eight pictures and PyTorch's answers."""
    import numpy as np
    import timm
    import torch
    import torchvision

    torch.manual_seed(0)
    if hasattr(torchvision.models, name):
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        net = torchvision.models.get_model(name, weights=None, **options)
    else:
        net = timm.create_model(name, pretrained=False)
    x = torch.randn(8, 3, NETS[name], NETS[name])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # take the statistics of these pictures: answers that differ
    with torch.no_grad():
        if name in FADING:
            net.train()(x)
        y = net.eval()(x)
    np.save(folder / f"{name}.x.npy", x.numpy())
    np.save(folder / f"{name}.y.npy", y.numpy())
    torch.save(net, folder / f"{name}.pt")
    torch.onnx.export(
        net, (x[:1],), folder / f"{name}.onnx", opset_version=17, dynamo=False,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    net: str
    batch: int
    precision: str
    threads: int


class Worker:
    """One runtime in its process, loaded and checked."""

    def __init__(self, runtime: str, python: str, folder: Path, case: Case) -> None:
        script = str(Path(__file__).with_name("nets_worker.py"))
        interpreter = sys.executable if runtime in OURS else python
        numbers = [case.net, str(case.batch), str(case.threads), case.precision]
        self.times: list[float] = []
        self._process = subprocess.Popen(
            [interpreter, script, runtime, str(folder), *numbers],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.loaded = self._answer()

    def turn(self, seconds: float) -> None:
        sleep(SETTLE)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        self.times += self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def row(self) -> dict[str, float]:
        low, middle, high = min(self.times), median(self.times), max(self.times)
        return {"min_ms": low, "ms": middle, "max_ms": high, **self.loaded}

    def _answer(self):
        assert self._process.stdout is not None and self._process.stderr is not None
        while line := self._process.stdout.readline():
            if line.startswith(("{", "[")):
                return json.loads(line)
        raise RuntimeError(f"a runtime stopped:\n{self._process.stderr.read()[-2000:]}")


def compare(case: Case, python: str, folder: Path, names: list[str], rounds: int, seconds: float):
    """One row per runtime; best_peer and speedup (best peer's median / darter's) in darter's."""
    names = [name for name in names if name != "ncnn" or case.batch == 1]
    workers = {name: Worker(name, python, folder, case) for name in ["darter", *names]}
    for _ in range(rounds):
        for worker in workers.values():
            worker.turn(seconds)
    rows = {name: asdict(case) | {"runtime": name} | w.row() for name, w in workers.items()}
    for worker in workers.values():
        worker.end()
    best = min(names, key=lambda name: rows[name]["ms"])
    rows["darter"] |= {"best_peer": best, "speedup": rows[best]["ms"] / rows["darter"]["ms"]}
    rows["darter"]["speedup_of_minima"] = (
        min(rows[name]["min_ms"] for name in names) / rows["darter"]["min_ms"]
    )
    return rows


def show(rows: dict[str, dict]) -> None:
    ours = rows["darter"]
    cells = [f"{name} {row['ms']:.2f} ({row['min_ms']:.2f})" for name, row in rows.items()]
    print(
        f"{ours['net']}, {ours['batch']}: {ours['speedup']:.2f} ({ours['speedup_of_minima']:.2f}) "
        f"| {' | '.join(cells)} ms | peak "
        + " ".join(f"{name} {row['peak_mb'] - row['before_mb']:.0f}" for name, row in rows.items())
        + " MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="the interpreter of the peers' environment")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--precision", choices=PEERS, default="float32")
    parser.add_argument("--runtimes", nargs="+", help="peers to run; inductor compiles for minutes")
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn of one runtime")
    parser.add_argument("--folder", type=Path, help="keep exported nets here")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = options.runtimes or list(PEERS[options.precision])
    peak = measure_peak()
    speedups = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for net in options.nets:
            if not (folder / f"{net}.pt").exists():
                subprocess.run([sys.executable, __file__, "--export", net, folder], check=True)
            for batch in options.batches:
                case = Case(net, batch, options.precision, options.threads)
                rows = compare(case, options.python, folder, names, options.rounds, options.seconds)
                show(rows)
                speedups.append(rows["darter"]["speedup"])
                if options.out:
                    append_records(options.out, peak, list(rows.values()))
    print(f"geometric mean {geometric_mean(speedups):.3f}, least {min(speedups):.3f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--export"]:
        export(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
