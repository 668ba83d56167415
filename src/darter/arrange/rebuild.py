"""A rewritten net made again: from the net that it was, what was split, and its weights."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from darter.arrange.candidates import untrained
from darter.arrange.kinds import KINDS, LINEAR_KINDS

Net = TypeVar("Net", bound=nn.Module)
Splits = Mapping[str, tuple[str, int]]  # name of a layer -> kind and rank


def replacer(net: nn.Module) -> Callable[[str, nn.Module], None]:
    """replace(name, module) puts another module where one of that name is."""

    def replace(name: str, module: nn.Module) -> None:
        parent, _, last = name.rpartition(".")
        setattr(net.get_submodule(parent), last, module)

    return replace


def rebuilt(net: Net, splits: Splits, state: Mapping[str, Tensor]) -> Net:
    """The net with those layers split and these weights, of whatever number of channels.

    net: as it was before; stays so.   state: of the rewritten net, all of it.
    """
    made = copy.deepcopy(net)
    replace = replacer(made)
    for name, (kind, rank) in splits.items():
        layer: Any = made.get_submodule(name)
        replace(name, untrained((KINDS | LINEAR_KINDS)[kind], layer, rank))
    for name, module in made.named_modules():
        own = {key.rpartition(".")[2]: value for key, value in state.items()
               if key.rpartition(".")[0] == name}  # fmt: skip
        _reshape(module, own)
    made.load_state_dict(dict(state))
    return made.eval()


def _reshape(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    for key, value in values.items():
        if key in module._parameters:
            module._parameters[key] = nn.Parameter(value.clone())
        else:
            module._buffers[key] = value.clone()
    if isinstance(module, nn.Conv2d):
        depthwise = module.groups == module.in_channels > 1
        module.out_channels = len(module.weight)
        module.groups = module.out_channels if depthwise else module.groups
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _BatchNorm) and module.weight is not None:
        module.num_features = len(module.weight)
