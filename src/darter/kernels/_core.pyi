"""The compiled core of darter; use it through darter.kernels."""

from collections.abc import Sequence
import enum
from typing import Annotated

import numpy
from numpy.typing import NDArray


class ActivationKind(enum.Enum):
    none = 0

    relu = 1

    clip = 2

    leaky_relu = 3

    elu = 4

    sigmoid = 5

    hard_sigmoid = 6

    swish = 7

    hard_swish = 8

    gelu = 9

    gelu_tanh = 10

    tanh = 11

    softplus = 12

    mish = 13

    erf = 14

    exp = 15

    sqrt = 16

    reciprocal = 17

    power = 18

class Precision(enum.Enum):
    float32 = 0

    bfloat16 = 1

class GemmAlgorithm(enum.Enum):
    blocked = 0

    strassen = 1

    strassen_2 = 2

class Where(enum.Enum):
    arena = 0

    input = 1

    output = 2

    constant = 3

class RecurrenceKind(enum.Enum):
    lstm = 0

    gru = 1

    gru_reset_after = 2

class Border(enum.Enum):
    reflect = 0

    edge = 1

    fill = 2

class Convolution:
    @property
    def plain_input(self) -> bool: ...

    @property
    def plain_output(self) -> bool: ...

    @property
    def weight_bytes(self) -> int: ...

    def placed(self, n: int, x_blocks: int, y_blocks: int) -> Convolution: ...

    def run(self, x: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], y: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu')], residual: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)] | None, x_blocked: bool, y_blocked: bool) -> None: ...

def prepare_convolution(algorithm: str, spec: Sequence[int], w: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], bias: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)] | None, activation: tuple[ActivationKind, float, float]) -> Convolution: ...

def to_blocked(x: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu')], n: int, c: int, pixels: int) -> None: ...

def from_blocked(x: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu')], n: int, c: int, pixels: int) -> None: ...

class Step:
    @property
    def weight_bytes(self) -> int: ...

class Program:
    def __init__(self, arena_floats: int) -> None: ...

    def add(self, step: Step, x: Sequence[tuple[Where, int]], y: Sequence[tuple[Where, int]]) -> None: ...

    def add_constant(self, values: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]) -> int: ...

    def run(self, inputs: Sequence[Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]], outputs: Sequence[Annotated[NDArray[numpy.float32], dict(order='C', device='cpu')]], threads: int, timed: bool) -> list[float]: ...

    def poison(self, value: float) -> None: ...

    @property
    def arena_floats(self) -> int: ...

    @property
    def weight_bytes(self) -> int: ...

def repeat_step(program: Program, times: int, x_floats: Sequence[int], y_floats: Sequence[int]) -> Step: ...

def convolution_step(convolution: Convolution, residual: bool) -> Step: ...

class FullyConnected:
    @property
    def weight_bytes(self) -> int: ...

def pack_fully_connected(c: int, k: int, w: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], bias: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], activation: tuple[ActivationKind, float, float], precision: Precision) -> FullyConnected: ...

def fully_connected_step(layer: FullyConnected, residual: bool, n: int, x_blocks: int, y_blocks: int) -> Step: ...

class Recurrence:
    @property
    def weight_bytes(self) -> int: ...

def pack_recurrent(kind: RecurrenceKind, hidden: int, r: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)], bias: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]) -> Recurrence: ...

def recurrent_step(layer: Recurrence, n: int, steps: int, backward: bool) -> Step: ...

def pool_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], shape: Sequence[int], mean: bool, count_padding: bool) -> Step: ...

def eltwise_step(function: str, a: tuple[int, int, int, int, int], b: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], activation: tuple[ActivationKind, float, float]) -> Step: ...

def scale_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], activation: tuple[ActivationKind, float, float]) -> Step: ...

def activation_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], activation: tuple[ActivationKind, float, float]) -> Step: ...

def channels_step(x: Sequence[tuple[int, int, int, int, int]], y: tuple[int, int, int, int, int], sources: Sequence[tuple[int, int]]) -> Step: ...

def to_blocked_step(y: tuple[int, int, int, int, int]) -> Step: ...

def from_blocked_step(x: tuple[int, int, int, int, int]) -> Step: ...

def layer_norm_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], epsilon: float) -> Step: ...

def group_norm_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], groups: int, epsilon: float) -> Step: ...

def depth_to_space_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], channels_first: bool) -> Step: ...

def lrn_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], size: int, alpha: float, beta: float, bias: float) -> Step: ...

def resample_step(x: tuple[int, int, int, int, int], y: tuple[int, int, int, int, int], rows: tuple[int, Sequence[int], Sequence[float]], columns: tuple[int, Sequence[int], Sequence[float]], border: float) -> Step: ...

def move_step(parts: Sequence[tuple[int, int, int, int, Sequence[int], Sequence[int], Sequence[int]]]) -> Step: ...

def broadcast_step(function: str, sizes: Sequence[int], a_strides: Sequence[int], b_strides: Sequence[int], activation: tuple[ActivationKind, float, float]) -> Step: ...

def softmax_step(outer: int, axis: int, inner: int, log: bool) -> Step: ...

def select_step(sizes: Sequence[int], c_strides: Sequence[int], a_strides: Sequence[int], b_strides: Sequence[int]) -> Step: ...

def arg_step(outer: int, axis: int, inner: int, least: bool, last: bool) -> Step: ...

def reduce_step(function: str, kept_sizes: Sequence[int], kept_strides: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Step: ...

def matmul_step(a_offsets: Sequence[int], b_offsets: Sequence[int], m: int, n: int, k: int) -> Step: ...

def gemm(a: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], b: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], algorithm: GemmAlgorithm, precision: Precision) -> None: ...

def decode_jpeg(data: bytes, left: int, top: int, right: int, bottom: int) -> Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), order='C')] | None: ...

def check_jpeg(data: bytes) -> str | None: ...

def jpeg_size(data: bytes) -> tuple[int, int] | None: ...

def peak_gflops() -> float: ...

def read_gigabytes() -> float: ...

def round_fixed(x: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], integer_bits: int, fraction_bits: int, stochastic: bool, seed: int, stream: int) -> None: ...

def round_bfloat16(x: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], seed: int, stream: int) -> None: ...

def available_isas() -> list[str]: ...

def isas_of(leaf1_ecx: int, leaf7_ebx: int, leaf7_edx: int, leaf7_1_eax: int, xcr0: int) -> list[str]: ...

def active_isa() -> str: ...

def set_isa(name: str) -> None: ...

def has_avx512_bf16() -> bool: ...

MOST_THREADS: int = 1024

def threads() -> int: ...

def pool_threads() -> int: ...

class ThreadLimit:
    def __init__(self, most: int) -> None: ...

def set_threads(count: int) -> None: ...

def wake_threads() -> None: ...

def warp(pixels: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, 3), order='C', device='cpu', writable=False)], out: Annotated[NDArray, dict(shape=(3, None, None), device='cpu')], numbers: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], border: Border, whole: tuple[int, int, int, int]) -> None: ...

def reach(numbers: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], border: Border, width: int, height: int, size: int) -> tuple[int, int, int, int]: ...

def mean_rgb(pixels: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, 3), order='C', device='cpu', writable=False)], box: tuple[int, int, int, int]) -> tuple[float, float, float]: ...
