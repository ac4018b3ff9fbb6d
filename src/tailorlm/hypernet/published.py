"""Reads a published P2P or Text-to-LoRA state dict into a `Hypernet`.

It knows the published names and nothing of how their networks ran. The module order is given by the caller:
the published code took it from a Python set, and no file of a checkpoint records it.
Source: Text-to-LoRA's public network (Apache-2.0), its names and shapes only; reference section 1.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Group
from tailorlm.hypernet.heads import Factors, HeadL, HeadM, HeadS, PartsM
from tailorlm.hypernet.network import HeadName, Hypernet

NAMES = {
    "task_encoder.mlp.0.": "pool.linear.", "task_encoder.mlp.1.": "pool.norm.",
    "layer_depth_encoder.0.": "trunk.depths.", "layer_depth_encoder.1.": "trunk.depth_norm.",
    "layer_type_encoder.0.": "trunk.kinds.", "layer_type_encoder.1.": "trunk.kind_norm.",
    "mixer.1.": "trunk.mixer.body.up.", "mixer.4.": "trunk.mixer.body.down.",
    "mlp1.mlp.0.": "trunk.first.norm.", "mlp1.mlp.1.": "trunk.first.body.up.",
    "mlp1.mlp.4.": "trunk.first.body.down.",
    "mlp2.mlp.0.": "trunk.second.norm.", "mlp2.mlp.1.": "trunk.second.body.up.",
    "mlp2.mlp.4.": "trunk.second.body.down.",
    "mlp3.0.": "trunk.last_norm.", "mlp3.1.": "trunk.last.up.", "mlp3.4.": "trunk.last.down.",
    "out_emb_norm.": "parts.norm.",
}  # fmt: skip
PER_MODULE = re.compile(
    r"(heads\.(?P<head>.+)\.(weight|bias)|out_emb\.(?P<part>.+)\.[AB]"
    r"|(AB_offset|mean_recon_target|std_recon_target)\.[AB]\.(?P<offset>.+))"
)
State = dict[str, Tensor]


def read_published(path: str | Path, space: LoraSpace, order: Sequence[str], scaling: float) -> Hypernet:
    """The network of a published `hypermod.pt` for `space`, in evaluation mode.

    order    module names by the row of the published type embedding, e.g. ("q_proj", "v_proj")
    scaling  alpha/sqrt(r) with rsLoRA, else alpha/r: `adapter_config.json` beside the checkpoint says which
    ValueError on unknown or missing tensors, on shapes that are not the space's, on forms that are not heads
    L or M (the published one-rank-at-a-time form is not read). weights_only=True: no code in the file runs.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path}: expected a state dict of tensors, found {type(state).__name__}")
    return from_state({str(name): value for name, value in state.items()}, space, order, scaling)


def from_state(state: State, space: LoraSpace, order: Sequence[str], scaling: float) -> Hypernet:
    """As `read_published`, from the state dict itself."""
    check_names(state, space, order)
    check_plain(state)
    head: HeadName = "M" if any(name.startswith("out_emb.") for name in state) else "L"
    hypernet = Hypernet(
        space, required(state, "task_encoder.mlp.0.weight").shape[1], scaling=scaling, head=head,
        latent=required(state, "mixer.4.weight").shape[0], head_in=required(state, "mlp3.4.weight").shape[0],
        bias="layer" if has_offset(state) else "shared",
    )  # fmt: skip
    with torch.no_grad():
        copy_trunk(hypernet, space, state, order)
        copy_heads(hypernet, space, state)
    return hypernet.eval()


def check_names(state: State, space: LoraSpace, order: Sequence[str]) -> None:
    """Raises ValueError unless order and space name the same modules, and the state knows no others."""
    modules = [group.module for group in space.groups]
    if sorted(order) != sorted(modules) or len(set(modules)) != len(modules):
        raise ValueError(f"module order {list(order)} must name each of the space's modules {modules} once")
    for name in state:
        if any(name == old + kind for old in NAMES for kind in ("weight", "bias")):
            continue
        match = PER_MODULE.fullmatch(name)
        if match is None or (match["head"] or match["part"] or match["offset"]) not in modules:
            raise ValueError(f"unknown tensor {name!r} in the published checkpoint (modules {modules})")


def check_plain(state: State) -> None:
    """Raises ValueError on a checkpoint trained by reconstruction: its outputs are z-scores."""
    for name, value in state.items():
        if name.startswith(("mean_recon_target.", "std_recon_target.")) and bool(value.any()):
            raise ValueError(
                f"{name} is not zero: a checkpoint trained by reconstruction of z-scored adapters is not "
                "supported; use one trained with SFT"
            )


def has_offset(state: State) -> bool:
    """Whether the published network adds an adapter (MT-LoRA) to what its heads make."""
    return any(name.startswith("AB_offset.") and bool(value.any()) for name, value in state.items())


def copy_trunk(hypernet: Hypernet, space: LoraSpace, state: State, order: Sequence[str]) -> None:
    """Fills pool, trunk and parts; the type embedding's rows go from the published order to the groups'."""
    rows = torch.tensor([list(order).index(group.module) for group in space.groups])
    for old, new in NAMES.items():
        for kind in ("weight", "bias"):
            target = find(hypernet, new + kind)
            if target is not None:
                value = required(state, old + kind)
                value = value[rows] if new == "trunk.kinds." else value
                fill(target, value[: len(target)] if new == "trunk.depths." else value, old + kind)


def copy_heads(hypernet: Hypernet, space: LoraSpace, state: State) -> None:
    """Fills heads, their biases (plus the offset adapter's) and M's codes of A and B."""
    for index, (group, head) in enumerate(zip(space.groups, hypernet.heads, strict=True)):
        assert isinstance(head, HeadL | HeadM | HeadS)
        fill_head(head, state, group.module)
        if hypernet.settings["bias"] == "layer":
            add_offset(head.factors, state, group)
        if isinstance(hypernet.parts, PartsM):
            for row, factor in enumerate("AB"):
                name = f"out_emb.{group.module}.{factor}"
                fill(hypernet.parts.factor[index, row], required(state, name), name)


def fill_head(head: HeadL | HeadM | HeadS, state: State, module: str) -> None:
    """Splits the published linear of one module into what A and B have of it; no bias is a bias of 0."""
    a, b, name = head.factors.a.bias, head.factors.b.bias, f"heads.{module}."
    weight = required(state, name + "weight")
    bias = required(state, name + "bias") if name + "bias" in state else weight.new_zeros(len(weight))
    if isinstance(head, HeadL):
        rows = [len(head.weight_a), len(head.weight_b)]
        check_shape(weight, (sum(rows), head.weight_a.shape[1]), name + "weight")
        check_shape(bias, (sum(rows),), name + "bias")
        for target, value in zip((head.weight_a, head.weight_b), weight.split(rows), strict=True):
            target.copy_(value)
        flat_a, flat_b = bias.split(rows)
        a.copy_(flat_a.view(a.shape[1:]))
        b.copy_(flat_b.view(b.shape[1:]))
    else:
        fill(head.weight, weight, name + "weight")
        check_shape(bias, (len(weight),), name + "bias")
        wide = bias.view(a.shape[1], -1)
        a.copy_(wide[:, : a.shape[2]])
        b.copy_(wide[:, : b.shape[2]])


def add_offset(factors: Factors, state: State, group: Group) -> None:
    """Adds the published offset adapter, A (layers, R, I) and B (layers, O, R), to the group's biases."""
    layers = torch.tensor([site.layer for site in group.sites])
    for factor, letter in ((factors.a, "A"), (factors.b, "B")):
        name = f"AB_offset.{letter}.{group.module}"
        value = required(state, name)
        value = value.transpose(1, 2) if letter == "B" else value
        check_shape(value[: int(layers.max()) + 1], (int(layers.max()) + 1, *factor.bias.shape[1:]), name)
        factor.bias.add_(value[layers])


def required(state: State, name: str) -> Tensor:
    """The tensor, or a ValueError that names it."""
    if name not in state:
        raise ValueError(f"the published checkpoint has no tensor {name!r}")
    return state[name].float()


def find(hypernet: Hypernet, name: str) -> Tensor | None:
    """The parameter of that name; None where this network has none (an embedding has no bias)."""
    return dict(hypernet.named_parameters()).get(name)


def fill(target: Tensor, value: Tensor, name: str) -> None:
    """Copies a tensor of the same shape."""
    check_shape(value, tuple(target.shape), name)
    target.copy_(value)


def check_shape(value: Tensor, expected: tuple[int, ...], name: str) -> None:
    """Raises ValueError with expected and found shapes."""
    if tuple(value.shape) != expected:
        raise ValueError(f"{name}: expected shape {expected}, found {tuple(value.shape)}")
