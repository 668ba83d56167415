"""Typed Python face of the compiled core: instruction sets, threads and every kernel."""

from darter.kernels.arrays import Floats, apart_from, as_float32, check_out
from darter.kernels.binary import BinaryConv, Bits, pack_signs
from darter.kernels.convolution import (
    BLOCK,
    Convolution,
    blocked_shape,
    from_blocked,
    prepare_convolution,
    to_blocked,
)
from darter.kernels.enums import (
    BORDERS,
    GEMM_ALGORITHMS,
    NO_ACTIVATION,
    PRECISIONS,
    Activated,
    ActivationKind,
    Element,
    Precision,
    RecurrenceKind,
    Where,
)
from darter.kernels.gemm import gemm
from darter.kernels.gradient import filter_gradient, input_gradient
from darter.kernels.integer import (
    IntegerConv,
    Residual,
    Rounding,
    add_integers,
    dequantize,
    quantize,
    sum_numbers,
)
from darter.kernels.jpeg import check_jpeg, decode_jpeg, jpeg_size
from darter.kernels.layout import (
    BLOCKED,
    FLOATS,
    PLAIN,
    Array,
    Layout,
    blocks,
    canonical,
)
from darter.kernels.peak import Peak, measure_peak
from darter.kernels.rounding import MOST_BITS, ROUNDINGS, round_bfloat16, round_fixed
from darter.kernels.runtime import (
    active_isa,
    available_isas,
    has_avx512_bf16,
    has_bfloat16,
    has_integers,
    set_threads,
    threads,
    using_at_most,
    using_isa,
    using_threads,
    wake_threads,
)
from darter.kernels.steps import steps
from darter.kernels.training import training_steps
from darter.kernels.update import UpdateRule, update_all
from darter.kernels.warp import mean_rgb, reach, warp

__all__ = [
    "BLOCK",
    "BLOCKED",
    "BORDERS",
    "FLOATS",
    "GEMM_ALGORITHMS",
    "MOST_BITS",
    "NO_ACTIVATION",
    "PLAIN",
    "PRECISIONS",
    "ROUNDINGS",
    "Activated",
    "ActivationKind",
    "Array",
    "BinaryConv",
    "Bits",
    "Convolution",
    "Element",
    "Floats",
    "IntegerConv",
    "Layout",
    "Peak",
    "Precision",
    "RecurrenceKind",
    "Residual",
    "Rounding",
    "UpdateRule",
    "Where",
    "active_isa",
    "add_integers",
    "apart_from",
    "as_float32",
    "available_isas",
    "blocked_shape",
    "blocks",
    "canonical",
    "check_jpeg",
    "check_out",
    "decode_jpeg",
    "dequantize",
    "filter_gradient",
    "from_blocked",
    "gemm",
    "has_avx512_bf16",
    "has_bfloat16",
    "has_integers",
    "input_gradient",
    "jpeg_size",
    "mean_rgb",
    "measure_peak",
    "pack_signs",
    "prepare_convolution",
    "quantize",
    "reach",
    "round_bfloat16",
    "round_fixed",
    "set_threads",
    "steps",
    "sum_numbers",
    "threads",
    "to_blocked",
    "training_steps",
    "update_all",
    "using_at_most",
    "using_isa",
    "using_threads",
    "wake_threads",
    "warp",
]
