"""Measure the rounding errors of every convolution algorithm and write docs/accuracy.md.

python bench/conv_accuracy.py
"""

import sys
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from darter import kernels  # noqa: E402
from darter.conv import ALGORITHMS, ConvSpec, candidates, conv2d  # noqa: E402
from tests.references.convolution import conv2d_reference  # noqa: E402

EPSILON = 2.0**-24
BFLOAT16_EPSILON = 2.0**-9
CHANNELS = (16, 32, 64, 128, 256, 512, 1024)
# The sizes of the points of a tile of so many inputs, as in cook_toom.hpp, without 0 and infinity.
POINTS = {4: ["1"], 6: ["2/3", "3/2"], 8: ["1", "2", "1/2"]}


def matrices(m: int, n: int, sizes: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bt, G, At of F(m, n - m + 1) for the points 0, ± sizes and infinity, exact until the end."""
    points = [Fraction(0)]
    for size in sizes:
        points += [Fraction(size), -Fraction(size)]
    taps = n - m + 1
    bt, g, at = np.zeros((n, n)), np.zeros((n, taps)), np.zeros((m, n))
    for i in range(n):
        row, scale = [Fraction(1)], Fraction(1)
        for other, point in enumerate(points):
            if other == i:
                continue
            row = [a - point * b for a, b in zip([Fraction(0), *row], [*row, 0], strict=True)]
            if i < n - 1:
                scale *= points[i] - point
        bt[i, : len(row)] = [float(value) for value in row]
        for j in range(taps):
            g[i, j] = float(points[i] ** j / scale) if i < n - 1 else j == taps - 1
        for j in range(m):
            at[j, i] = float(points[i] ** j) if i < n - 1 else j == m - 1
    return bt, g, at


def worst_amplification(m: int, n: int) -> float:
    """Largest factor by which the two-dimensional transforms can grow a rounding error.

    With |x| <= 1 and |w| <= 1 a plain output is at most r² C; the intermediate sums reach
    (|At| (|G| 1 * |Bt| 1))² C.
    """
    bt, g, at = (np.abs(matrix) for matrix in matrices(m, n, POINTS[n]))
    line = (at @ (g.sum(1) * bt.sum(1))).max()
    return float((line / (n - m + 1)) ** 2)


def simulated(m: int, n: int, sizes: list[str]) -> float:
    """Relative rms error of float32 Winograd with these points, 64 channels, float32 sums."""
    bt, g, at = matrices(m, n, sizes)
    taps = n - m + 1
    rng = np.random.default_rng(0)
    d = rng.standard_normal((200, 64, n, n)).astype(np.float32)
    w = rng.standard_normal((64, taps, taps)).astype(np.float32)
    u = (g @ w.astype(np.float64) @ g.T).astype(np.float32)
    bt32, at32 = bt.astype(np.float32), at.astype(np.float32)
    v = np.einsum("tcik,lk->tcil", np.einsum("ij,tcjk->tcik", bt32, d), bt32)
    products = np.zeros((200, n, n), np.float32)
    for c in range(64):
        products += v[:, c] * u[c]
    y = np.einsum("tik,lk->til", np.einsum("ij,tjk->tik", at32, products), at32)
    truth = np.zeros((200, m, m))
    for i in range(taps):
        for j in range(taps):
            seen = d[:, :, i : i + m, j : j + m].astype(np.float64)
            truth += np.einsum("tchw,c->thw", seen, w[:, i, j].astype(np.float64))
    return rms(y - truth) / rms(truth)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def errors_by_channels(side: int) -> list[str]:
    """Rows of a Markdown table: relative rms and max error per algorithm and channel count."""
    rows = []
    for channels in CHANNELS:
        spec = ConvSpec((1, channels, 26, 26), (32, channels, side, side), padding=side // 2)
        rng = np.random.default_rng(channels)
        x, w = (rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w))
        truth = conv2d_reference(spec, x, w)
        for name in candidates(spec):
            error = conv2d(x, w, padding=side // 2, algorithm=name) - truth
            expected = ALGORITHMS[name].error(spec)
            rows.append(
                f"| {channels} | `{name}` | {rms(error) / rms(truth):.1e} | {expected:.1e} | "
                f"{np.abs(error).max() / rms(truth):.1e} | {bound(name, spec):.1e} |"
            )
    return rows


def bound(name: str, spec: ConvSpec) -> float:
    """What no input of standard deviation 1 up to 4 can exceed, over the outputs' rms."""
    c, r = spec.w[1], spec.w[2]
    depth, largest = c * r * r, 16.0  # products of two values up to 4
    growth, roundings = 1.0, float(depth)
    if name.startswith("winograd"):
        m = ALGORITHMS[name].tile  # type: ignore[attr-defined]
        n = m + r - 1
        growth, roundings = worst_amplification(m, n), c + 4 * n
    if name.startswith("fft"):
        side = ALGORITHMS[name].side  # type: ignore[attr-defined]
        growth, roundings = side * side / r, 2 * c + 4 * np.log2(side)
    if name.endswith("bfloat16"):
        roundings += 2 * BFLOAT16_EPSILON / EPSILON  # of both operands, once each
    return growth * roundings * EPSILON * depth * largest / depth**0.5


def points_table() -> list[str]:
    rows = []
    sizes = ("1/2", "3/5", "5/8", "2/3", "3/4", "1", "4/3", "3/2", "8/5", "5/3", "2")
    for m, n in ((4, 6), (6, 8)):
        tried = {p: simulated(m, n, list(p)) for p in combinations(sizes, (n - 2) // 2)}
        best = sorted(tried, key=tried.__getitem__)[:4]
        usual = ("1", "2") if n == 6 else ("1/2", "1", "2")
        for chosen in dict.fromkeys([*best, tuple(sorted(POINTS[n], key=Fraction)), usual]):
            points = "0, " + ", ".join(f"±{p}" for p in chosen) + ", ∞"
            used = "used" if set(chosen) == set(POINTS[n]) else ""
            rows.append(f"| F({m}, 3) | {points} | {tried[chosen]:.2e} | {used} |")
    return rows


HEADING = (
    "| C | algorithm | rms error | expected by the chooser | largest error | worst case |\n"
    "|---|---|---|---|---|---|"
)


def main() -> None:
    amplification = ", ".join(
        f"F({m}, {n - m + 1}) {worst_amplification(m, n):.0f}"
        for m, n in ((2, 4), (4, 6), (6, 8), (2, 6), (4, 8))
    )
    text = f"""# How accurate the convolutions are

Written by `python bench/conv_accuracy.py` ({kernels.active_isa()}); do not edit by hand.

Float32 results against float64, for independent standard normal x and w. All errors are relative
to the root mean square of the exact outputs. "Worst case" is a bound that holds for every input
with values up to 4: the number of roundings, times 2⁻²⁴, times the largest factor by which the
transforms can grow them; in bfloat16 each operand is rounded once more, by 2⁻⁹. Measured errors are
far below it, because roundings have random signs.

## 3x3 filters

{HEADING}
{chr(10).join(errors_by_channels(3))}

## 5x5 filters

{HEADING}
{chr(10).join(errors_by_channels(5))}

Direct sums err by 0.3·2⁻²⁴·√(C·R·S): one long sum in order (`im2col`: sums of 512).
Winograd sums C products per position, at most 256 at a time, so its own sums err less; what it
adds comes from its transforms, which grow errors at most by {amplification}.

## Which points

Root mean square error of float32 Winograd with 64 channels for the best choices of points among
fractions from 1/2 to 2, for those that the kernels use, and for the usual ones. Points around 1,
each with its inverse, keep the entries of all three matrices small.

| tile | points | rms error | |
|---|---|---|---|
{chr(10).join(points_table())}

## Choosing by error

`conv2d(..., max_error=1e-5)` and `prepare(..., max_error=...)` compare the expected rms error with
a budget: 1e-5 by default, which admits F(6, 3) and F(4, 3) for any number of channels.
bfloat16 has 8 bits of mantissa: rounding one operand is an error of 1.7e-3 rms, so a budget of 3e-3
admits `direct-bfloat16`, 5e-3 also F(2, 3) and 1.2e-2 also F(4, 3) with bfloat16 products.

## Not numbers

NaN in the input makes every output NaN that sees it. Winograd and FFT compute outputs by tiles, so
all outputs of a tile that sees NaN or infinity may be NaN. With groups, `direct` also makes those
filters NaN that share a pair of blocks of 16 with a group that sees NaN or infinity: what another
group sees is multiplied by zero. Activations keep NaN.
"""
    (ROOT / "docs" / "accuracy.md").write_text(text)


if __name__ == "__main__":
    main()
