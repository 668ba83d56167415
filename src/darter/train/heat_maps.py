"""Grad-CAM: what spoke for a class, as a heat map over the picture.

Each channel of the last feature map counts by the mean gradient of the predicted class's logit;
their sum, where it is positive, is what spoke for the class. Source: Selvaraju et al.,
arXiv:1610.02391.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.errors import UnsupportedError
from darter.picture import Warp
from darter.transfer import Backbone

PALETTE = "inferno"  # perceptually uniform; the report's legend shows the same


def last_block(backbone: Backbone) -> nn.Module | None:
    """The module that makes a backbone's last feature map (N, C, h, w) with h·w > 1.

    None where there is none, as in transformers, whose tokens Grad-CAM cannot place.
    """
    net = backbone.net
    if getattr(net, "output_fmt", "NCHW") == "NHWC":
        return None
    taps = [net.get_submodule(block.tap) for block in backbone.blocks if block.tap is not None]
    shapes: dict[nn.Module, torch.Size] = {}
    handles = [
        tap.register_forward_hook(lambda module, _, output: shapes.update({module: output.shape}))
        for tap in taps
    ]
    weight = next(net.parameters())
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(weight.new_zeros(1, 3, backbone.size, backbone.size))
    finally:
        net.train(training)
        for handle in handles:
            handle.remove()
    for tap in reversed(taps):
        shape = shapes.get(tap, ())
        if len(shape) == 4 and shape[2] * shape[3] > 1:
            return tap
    return None


def grad_cam(
    model: nn.Module, block: nn.Module, views: Tensor, classes: Sequence[int]
) -> NDArray[np.float32]:
    """Evidence for one class per view: float32 (N, h, w) in [0, 1], 1 where it is strongest.

    All zero where nothing in the view speaks for the class. Frozen parameters do not matter, and
    the model is left as it was. Raises UnsupportedError where `block` makes no feature map.
    """
    caught: list[Tensor] = []

    def catch(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or output.dim() != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UnsupportedError(
                f"Grad-CAM needs a feature map (N, C, h, w); {type(block).__name__} gives {shape}"
            )
        caught.append(output.detach().requires_grad_())
        return caught[-1].clone()  # what follows may work in place

    weight = next(model.parameters())
    modes = [(module, module.training) for module in model.modules()]
    handle = block.register_forward_hook(catch)
    try:
        model.eval()
        with torch.enable_grad():
            logits = model(views.to(device=weight.device, dtype=weight.dtype))
            asked = logits[torch.arange(len(views)), torch.as_tensor(classes)].sum()
            (gradient,) = torch.autograd.grad(asked, caught[0])
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
    channels = gradient.mean(dim=(2, 3), keepdim=True)
    maps = (channels * caught[0].detach()).sum(dim=1).relu().float()
    most = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, maps / most, 0.0).cpu().numpy()


def overlay(
    thumbnail: NDArray[np.uint8], heat: NDArray[np.float32], seen: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The picture in grey with the heat on it; what the network did not see is pale, and framed.

    thumbnail: uint8 (H, W, 3).   heat: float32 (h, w) in [0, 1], over the network's view.
    seen: float64 (H, W, 2), where each pixel lies in that view, x and y in [0, 1] if inside.
    """
    from matplotlib import colormaps

    inside = np.asarray(((seen >= 0) & (seen <= 1)).all(axis=2))
    grid = torch.from_numpy(seen * 2 - 1).float()[None]
    smooth = nn.functional.grid_sample(
        torch.from_numpy(heat)[None, None], grid, "bicubic", "border", align_corners=False
    )[0, 0].clamp(0, 1)
    level = smooth.numpy()[..., None]
    grey = (thumbnail @ np.array([0.299, 0.587, 0.114]))[..., None] * np.ones(3)
    color = colormaps[PALETTE](level[..., 0])[..., :3] * 255
    strength = 0.45 + 0.25 * level
    drawn = np.where(inside[..., None], (1 - strength) * grey + strength * color, 0)
    drawn[~inside] = 0.3 * grey[~inside] + 0.7 * 215
    drawn[_border(inside)] = 255
    return np.clip(np.round(drawn), 0, 255).astype(np.uint8)


def positions(size: tuple[int, int], picture: tuple[int, int], warp: Warp) -> NDArray[np.float64]:
    """Where each pixel of a thumbnail lies in the network's view: (H, W, 2) of x and y.

    size: of the thumbnail, (width, height).   picture: of the picture that `warp` was made for.
    warp: has `size` and `homography`, from points of the view to points of the picture.
    """
    back = np.linalg.inv(np.reshape(warp.homography, (3, 3)))
    x = (np.arange(size[0]) + 0.5) * (picture[0] / size[0])
    y = (np.arange(size[1]) + 0.5) * (picture[1] / size[1])
    points = np.stack([*np.meshgrid(x, y), np.ones((size[1], size[0]))], axis=-1) @ back.T
    return points[..., :2] / points[..., 2:] / warp.size


def _border(inside: NDArray[np.bool_], thick: int = 2) -> NDArray[np.bool_]:
    """The outermost pixels of the seen part, on the sides where something is left out."""
    inner = inside.copy()
    for _ in range(thick):
        padded = np.pad(inner, 1, mode="edge")
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~inner
