"""How many times as fast as the best peer, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from darter.errors import MissingExtraError
from darter.extras import install_line
from darter.files import cannot_write

COLORS = ("#0b6e99", "#6a9f58", "#b0562b", "#7a5195")


def plot_speedups(speedups: Mapping[tuple[str, int], float], file: Path) -> None:
    """One bar per net and batch size; the file's ending says the format, .svg or .png.

    Raises MissingExtraError without matplotlib, DataError where the file cannot be written.
    """
    try:
        import matplotlib
    except ImportError as error:
        line = install_line("train")
        raise MissingExtraError(f"a plot needs matplotlib: {line}") from error
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    nets = list(dict.fromkeys(net for net, _ in speedups))
    batches = sorted({batch for _, batch in speedups})
    width = 0.8 / len(batches)
    with plt.rc_context({"svg.hashsalt": "darter"}):
        figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
        for i, batch in enumerate(batches):
            places = [j for j, net in enumerate(nets) if (net, batch) in speedups]
            heights = [speedups[nets[j], batch] for j in places]
            left = [j - 0.4 + width * (i + 0.5) for j in places]
            color = COLORS[i % len(COLORS)]
            axes.bar(left, heights, 0.95 * width, color=color, label=f"batch {batch}")
        axes.axhline(1, color="#666", linestyle=":")
        axes.set_xticks(range(len(nets)), nets, rotation=20, ha="right")
        axes.set(ylabel="best peer's time / darter's")
        axes.legend(frameon=False, fontsize="small")
        try:
            metadata = {"Date": None} if file.suffix == ".svg" else None
            figure.savefig(file, metadata=metadata)
        except OSError as error:
            raise cannot_write(file, error) from error
        finally:
            plt.close(figure)
