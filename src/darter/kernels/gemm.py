"""Matrix products."""

import numpy as np

from darter.errors import OptionError, ShapeError
from darter.kernels import _core
from darter.kernels.arrays import Floats, apart_from, as_float32, check_out
from darter.kernels.enums import GEMM_ALGORITHMS, PRECISIONS, Precision


def gemm(
    a: Floats,
    b: Floats,
    *,
    algorithm: str = "blocked",
    precision: str = "float32",
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Multiply two matrices: (m, k) times (k, n) gives (m, n).

    a, b: float32, any strides; of numpy, or anything with DLPack.   out: float32 (m, n),
    contiguous; made where it is None. Where it overlaps a or b, they are copied first.
    algorithm: "blocked" (packed, m·n·k multiply-adds), "strassen" or "strassen-2" (one or two
    levels of Strassen's seven products; docs/performance.md tells whether they pay).
    precision: "float32", or "bfloat16": a and b are rounded to bfloat16 (8 bits of mantissa), sums
    stay float32; "blocked" only. Faster with AMX, or AMD's AVX-512 BF16; elsewhere the same result
    but for the order of sums.

    Accuracy: |error| <= (k + 2)·2⁻²⁴·(|a| |b|) for "blocked", of the rounded a and b.
    Strassen's bound holds only for norms: about (k + 40)·2⁻²⁴·max|a|·max|b|·k for one level.
    Raises ShapeError where the matrices do not fit together, OptionError for an algorithm or a
    precision that there is not.
    Source: Huang et al., "Strassen's algorithm reloaded" (SC'16).
    """
    a, b = as_float32("gemm: a", a), as_float32("gemm: b", b)
    if algorithm not in GEMM_ALGORITHMS:
        raise OptionError(
            f"gemm: unknown algorithm {algorithm!r}; choose from {', '.join(GEMM_ALGORITHMS)}"
        )
    if precision not in PRECISIONS:
        raise OptionError(f"gemm: precision is {' or '.join(PRECISIONS)}, got {precision!r}")
    if precision == "bfloat16" and algorithm != "blocked":
        raise OptionError(
            f"gemm: {algorithm} adds before it multiplies, which bfloat16 is too coarse for; "
            'use algorithm="blocked"'
        )
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ShapeError(f"gemm: expected a (m, k) and b (k, n), got {a.shape} and {b.shape}")
    shape = (a.shape[0], b.shape[1])
    if out is None:
        out = np.empty(shape, np.float32)
    else:
        check_out(out, "gemm: out")
        if out.shape != shape:
            raise ShapeError(f"gemm: out must be {shape}, got {out.shape}")
        a, b = apart_from(out, a), apart_from(out, b)
    _core.gemm(a, b, out, GEMM_ALGORITHMS[algorithm], Precision[precision])
    return out
