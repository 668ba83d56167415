"""Cut any timm or torchvision net into blocks, from stem to top."""

from torch import nn

from darter.transfer.backbone import Block

_SEQUENCES = (
    "features",
    "encoder",
    "layers",
    "trunk_output",
)  # children that torchvision nets stack blocks in
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def cut(net: nn.Module) -> tuple[Block, ...]:
    """The blocks of a net whose classifier was removed, in the order of the forward pass.

    timm nets say themselves which parameters form a stage; other nets are cut at their children.
    """
    groups = _by_stage(net) if hasattr(net, "group_matcher") else _by_child(net)
    groups = [g for g in groups if g]
    ends = {0: "stem", len(groups) - 1: "top"}
    return tuple(_block(net, names, ends.get(i, str(i))) for i, names in enumerate(groups))


def _by_stage(net: nn.Module) -> list[list[str]]:
    from timm.models import group_parameters

    matcher = net.group_matcher(coarse=True)  # type: ignore[operator]  # of timm's nets
    groups = group_parameters(net, matcher)
    return [groups[layer] for layer in sorted(groups)]


def _by_child(net: nn.Module, prefix: str = "") -> list[list[str]]:
    """One group per child; sequences are cut further; a norm belongs to the layer before it."""
    groups: list[list[str]] = []
    own = [prefix + n for n, _ in net.named_parameters(recurse=False)]
    for name, child in net.named_children():
        path = f"{prefix}{name}"
        if name in _SEQUENCES:
            groups += _by_child(child, f"{path}.")
            continue
        names = [f"{path}.{n}" for n, _ in child.named_parameters()]
        if groups and isinstance(child, _NORMS):
            groups[-1] += names
        elif names:
            groups.append(names)
    if own and groups:
        groups[0] = own + groups[0]
    return groups


def _block(net: nn.Module, names: list[str], default_name: str) -> Block:
    """The block of these parameters; its tap is the outermost module that has just these."""
    owners = tuple(dict.fromkeys(n.rpartition(".")[0] for n in names))
    whole = _module_of(net, set(names))
    modules = [n for n, _ in net.named_modules() if n]
    if whole:
        inside = tuple(m for m in modules if m == whole or m.startswith(f"{whole}."))
        return Block(whole, tuple(names), inside, tap=whole)
    if default_name.isdigit():
        default_name = owners[0]
    inside = tuple(m for m in modules if m in owners)
    return Block(default_name, tuple(names), inside, tap=owners[-1] or None)


def _module_of(net: nn.Module, names: set[str]) -> str | None:
    for path, module in net.named_modules():
        own = {f"{path}.{n}" for n, _ in module.named_parameters()}
        if path and own == names:
            return path
    return None
