"""Arrays that callers hand in: shared memory, other types, what cannot be used."""

import numpy as np
import pytest

from darter import kernels
from darter.conv import ConvSpec, candidates, conv2d, prepare
from darter.errors import OptionError, ShapeError

SPECS = [
    ConvSpec((2, 20, 9, 9), (20, 20, 3, 3), padding=1),
    ConvSpec((1, 512, 1, 1), (16, 512, 1, 1)),
    ConvSpec((1, 18, 8, 8), (18, 1, 3, 3), padding=1, groups=18),
]


@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_residual_may_be_out_itself(spec, blocked):
    rng = np.random.default_rng(0)
    x, w, shortcut = (rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w, spec.y))
    for name in candidates(spec):
        layer = prepare(spec, w, algorithm=name, activation="relu")
        expected = layer(x, residual=shortcut)
        out = kernels.to_blocked(shortcut) if blocked else shortcut.copy()
        layer(x, out=out, residual=out)
        result = kernels.from_blocked(out, spec.y[1]) if blocked else out
        np.testing.assert_array_equal(result, expected, err_msg=name)


@pytest.mark.parametrize("blocked", [False, True])
def test_out_may_overlap_x(blocked):
    spec = ConvSpec((1, 16, 12, 12), (16, 16, 3, 3), padding=1)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(spec.x, np.float32), rng.standard_normal(spec.w, np.float32)
    x = kernels.to_blocked(x) if blocked else x
    for name in candidates(spec):
        layer = prepare(spec, w, algorithm=name)
        expected, out = layer(x), x.copy()
        np.testing.assert_array_equal(layer(out, out=out), expected, err_msg=name)
        room = np.concatenate([x.ravel(), np.zeros(16, np.float32)])
        shifted = room[16:].reshape(x.shape)
        result = layer(x, out=shifted, residual=room[:-16].reshape(x.shape))
        np.testing.assert_array_equal(result, layer(x, residual=x), err_msg=name)


def test_product_may_overwrite_its_operands():
    a = np.random.default_rng(0).standard_normal((40, 40), np.float32)
    expected = kernels.gemm(a, a)
    np.testing.assert_array_equal(kernels.gemm(a, a, out=a), expected)


def test_other_numbers_are_rounded_and_others_refused():
    x, w = np.arange(9).reshape(1, 1, 3, 3), [[[[2]]]]
    np.testing.assert_array_equal(conv2d(x, w), 2 * x)
    for wrong, says in (
        (x.astype(complex), "x must hold real numbers, got complex128"),
        (np.array("abc"), "x must hold real numbers, got <U3"),
        ([[1, 2], [3]], "x: cannot read list"),
    ):
        with pytest.raises(ShapeError, match=says):
            conv2d(wrong, w)


def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Conv2d(3, 4, 3)
    x = torch.randn(1, 3, 8, 8)
    expected = layer(x).detach().numpy()
    np.testing.assert_allclose(conv2d(x, layer.weight, layer.bias), expected, atol=1e-5)
    np.testing.assert_array_equal(
        conv2d(torch._neg_view(x), layer.weight), -conv2d(x, layer.weight)
    )
    np.testing.assert_array_equal(kernels.gemm(torch.eye(3), torch.eye(3)), np.eye(3))
    with pytest.raises(ShapeError, match=r"x: cannot read Tensor.*\.float\(\)"):
        conv2d(x.bfloat16(), layer.weight)


def test_out_may_be_a_file(tmp_path):
    spec = ConvSpec((1, 3, 9, 9), (4, 3, 3, 3))
    file = np.memmap(tmp_path / "y", np.float32, "w+", shape=spec.y)
    layer = prepare(spec, np.ones(spec.w))
    np.testing.assert_array_equal(layer(np.ones(spec.x), out=file), np.full(spec.y, 27))


def test_out_that_cannot_be_written():
    layer = prepare(ConvSpec((1, 3, 9, 9), (4, 3, 3, 3)), np.zeros((4, 3, 3, 3)))
    x, out = np.zeros((1, 3, 9, 9), np.float32), np.zeros((1, 4, 7, 7), np.float32)
    read_only = out.copy()
    read_only.flags.writeable = False
    for wrong, says in (
        (read_only, "got a read-only or unaligned one"),
        (np.asfortranarray(out), "with strides of"),
        (out.astype(np.float64), "got float64"),
        ([1], "got builtins.list"),
    ):
        with pytest.raises(ShapeError, match=f"out must be a writable, C-contiguous .*{says}"):
            layer(x, out=wrong)
    with pytest.raises(ShapeError, match=r"the result is blocked, \(1, 1, 7, 7, 16\)"):
        layer(kernels.to_blocked(x), residual=out)


def test_what_is_no_convolution():
    with pytest.raises(OptionError, match=r"expected a ConvSpec.* got tuple"):
        candidates((1, 4, 8, 8))
    with pytest.raises(OptionError, match="expected a ConvSpec"):
        prepare(np.zeros((1, 4, 8, 8)), np.zeros((4, 4, 3, 3)))
    with pytest.raises(ShapeError, match=r"x must be the shape \(N, C, H, W\), got array"):
        ConvSpec(np.zeros((2, 2)), (4, 4, 3, 3))
    with pytest.raises(OptionError, match=r"groups must be a whole number, got 1\.0"):
        ConvSpec((1, 4, 8, 8), (4, 4, 3, 3), groups=1.0)
    with pytest.raises(ShapeError, match="In 2 groups, a filter sees 2 of x's channels"):
        ConvSpec((1, 4, 8, 8), (6, 4, 3, 3), groups=2)
