"""Names in foreign checkpoints: how they are found and turned into ours.

Our SaluNet-C keeps timm's ResNet names with activations in the places of BatchNorm and ReLU (`layer4.1.bn1.a`), our
SaluNet-T keeps timm's ViT names. The authors' own names are not published beyond those the paper prints, such as
`L4.1.salu1`; the tables below map those and the usual ways to write a CIFAR ResNet or torchvision's ViT. Anything
else is a user's own table (`zoo adopt --rename FILE.json`), and what no rule maps is an error that lists it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import regex  # that of the standard library cannot be stopped
import torch
from torch import Tensor

from zoo.errors import ConfigurationError, WeightsMismatchError

PLAIN = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "module")
EMA = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "shadow")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")

# Bookkeeping that is no weight: counters of averaging and profiling tools.
BOOKKEEPING = re.compile(r"(^|\.)(n_averaged|total_ops|total_params|num_batches_tracked)$")

_SAVE = "Save one with torch.save(model.state_dict(), FILE)."
_DEEPEST = 8
"""Keys that may lead to the weights; a checkpoint that holds itself has no end."""
_SECONDS = 1.0
"""For a rule of a user's table and one name, which takes microseconds; some patterns would take years."""

Rules = Sequence[tuple[str, str]]

# Each table is applied from top to bottom, and kept only if the result is a name the model has.
PARAMETERS: Rules = (
    (r"\.(alpha|a_param|_a)$", ".a"),
    (r"\.(beta|b_param|_b)$", ".b"),
)
CONVNET: Rules = (
    (r"^(?:L|stage|block|layers?\.)(\d)\.", r"layer\1."),
    (r"^(?:stem|features?)[._](conv|salu|norm|bn|swalu|galu|act)\d?\.", r"\1."),
    (r"^stem\.0\.", "conv1."),
    (r"^stem\.1\.", "bn1."),
    (r"^stem\.2\.", "act1."),
    (r"^conv\.", "conv1."),
    (r"^(?:salu|norm|bn)\.", "bn1."),
    (r"^(?:swalu|galu|act)\.", "act1."),
    (r"\.(?:shortcut|skip|proj|down|ds)\.", ".downsample."),
    (r"\.downsample\.conv\d?\.", ".downsample.0."),
    (r"\.downsample\.(?:salu|norm|bn)\d?\.", ".downsample.1."),
    (r"\.(?:salu|norm|bn)_?(?:shortcut|skip|downsample|down|ds)\.", ".downsample.1."),
    (r"\.(?:shortcut|skip|downsample|down|ds)_(?:salu|norm|bn)\.", ".downsample.1."),
    (r"\.(?:shortcut|skip|downsample|down|ds)_conv\.", ".downsample.0."),
    (r"(^|\.)(?:salu|norm)_?(\d)\.", r"\1bn\2."),
    (r"(^|\.)(?:swalu|galu|gate|activation)_?(\d)\.", r"\1act\2."),
    (r"^(?:linear|classifier|head)\.(?:\d\.)?", "fc."),
)
TRANSFORMER: Rules = (
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^(?:conv_proj|patch_embedding)\.", "patch_embed.proj."),
    (r"^(?:encoder\.layers\.encoder_layer_|encoder\.|layers\.|enc\.)(\d+)\.", r"blocks.\1."),
    (r"\.(?:ln|layer_norm|salu)_?(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_(weight|bias)$", r".attn.qkv.\1"),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:linear_1|0)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:linear_2|3)\.", ".mlp.fc2."),
    (r"\.mlp\.(?:galu|swalu|gate)_?(\d?)\.", r".mlp.act\1."),
    (r"^encoder\.(?:ln|salu)\.", "norm."),
    (r"^(?:heads\.head|fc|linear|classifier)\.", "head."),
)


@dataclass
class Renamed:
    """A foreign state under our names.

    Args:
        state: our name to tensor; also holds, under their own names, those no rule mapped.
        renamed: foreign name to ours, where they differ.
        ignored: what was left out, each with the reason.
    """

    state: dict[str, Tensor] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def unwrap(content: Any, ema: bool | None = None) -> tuple[Mapping[str, Any], str, list[str]]:
    """Find the state dict inside a checkpoint.

    Args:
        content: what the file holds.
        ema: True takes averaged weights and fails without; False takes the plain ones; None takes averaged weights if
            there are any, since those are what papers report.

    Returns:
        The state dict, the keys that led to it joined by dots ("" for none), and the names left aside on the way.

    Raises:
        WeightsMismatchError: there is no state dict, or not the kind asked for.
    """
    path: list[str] = []
    aside: list[str] = []
    averaged = False
    while isinstance(content, Mapping):
        strange = next((key for key in content if not isinstance(key, str)), None)
        if strange is not None or len(path) > _DEEPEST:
            found = f"a key that is {type(strange).__name__}" if strange is not None else ".".join(path) + " and so on"
            raise WeightsMismatchError(f"No state dict found. The file holds {found}. {_SAVE}")
        options = [key for key in (*EMA, *PLAIN) if isinstance(content.get(key), Mapping)]
        if ema is False:
            options = [key for key in options if key in PLAIN]
        elif ema and not averaged:
            options = [key for key in options if key in EMA] or options
        if not options:
            break
        aside += [".".join([*path, str(key)]) for key in content if key != options[0]]
        averaged = averaged or options[0] in EMA
        path.append(options[0])
        content = content[options[0]]
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        keys = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise WeightsMismatchError(
            f"No state dict found. The file holds: {keys}. Looked under {', '.join((*EMA, *PLAIN))}. {_SAVE}"
        )
    if ema and not averaged:
        raise WeightsMismatchError(
            f"--ema was asked for, but the file has no averaged weights under any of {', '.join(EMA)}; use --no-ema."
        )
    return content, ".".join(path), aside


def rename_state(
    state: Mapping[str, Any], wanted: Mapping[str, Tensor], own: Mapping[str, str | None] | None = None
) -> Renamed:
    """Bring a foreign state dict under a model's names. Shapes () and (1,) count as the same.

    Args:
        state: foreign name to tensor; other values are left out and reported.
        wanted: the model's own state_dict.
        own: the user's table, applied first and in order: regular expression to replacement, or to None to leave
            the tensors out whose names it finds.

    Raises:
        WeightsMismatchError: two tensors end up under one name.
        ConfigurationError: a pattern of `own` is not a regular expression, or takes too long.
    """
    result = Renamed()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            result.ignored.append(f"{key}: {type(value).__name__}, not a tensor")
            continue
        name = _by_own_table(str(key), own or {})
        if name is None:
            result.ignored.append(f"{key}: left out by the --rename table")
            continue
        name = _our_name(name, wanted)
        if name not in wanted and BOOKKEEPING.search(name):
            result.ignored.append(f"{key}: bookkeeping, not a weight")
            continue
        if name in result.state:
            raise WeightsMismatchError(f"Two tensors of the file become {name!r}; the second is {key!r}. Use --rename.")
        if name != key:
            result.renamed[str(key)] = name
        same = name in wanted and value.numel() == wanted[name].numel() == 1
        result.state[name] = value.reshape(wanted[name].shape) if same else value
    return result


def check_plain(name: str, tensor: Tensor) -> None:
    """Refuse a tensor whose values are not stored one by one, so that its shape can say anything.

    Raises:
        WeightsMismatchError: it is sparse, quantised, nested, on the meta device, or repeats its values by stride 0.
    """
    kind = ""
    if tensor.layout is not torch.strided or tensor.is_nested:
        kind = f"is of the layout {tensor.layout}"
    elif tensor.is_quantized:
        kind = "is quantised"
    elif tensor.is_meta:
        kind = "is on the meta device, which holds no values"
    elif tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        kind = f"stores {tensor.untyped_storage().nbytes():,} bytes for its {tensor.numel():,} values"
    if kind:
        raise WeightsMismatchError(
            f"The tensor {name[:200]!r} {kind}. Save plain ones where it was made: tensor.to_dense(), .dequantize() or "
            ".contiguous() gives them."
        )


def _by_own_table(key: str, own: Mapping[str, str | None]) -> str | None:
    for pattern, replacement in own.items():
        try:
            if replacement is None and regex.search(pattern, key, timeout=_SECONDS):
                return None
            key = regex.sub(pattern, replacement, key, timeout=_SECONDS) if replacement is not None else key
        except TimeoutError as error:
            raise ConfigurationError(
                f"--rename: {pattern[:200]!r} is still at the name {key[:200]!r} after {_SECONDS:g} s. Write it "
                "without a repetition inside a repetition."
            ) from error
        except regex.error as error:
            raise ConfigurationError(
                f"--rename: {pattern!r} -> {replacement!r} is not a valid rule: {error}"
            ) from error
    return key


def _our_name(key: str, wanted: Mapping[str, Tensor]) -> str:
    """Our name for `key`, or `key` without wrapper prefixes if no rule leads to a name the model has."""
    while key not in wanted and key.startswith(PREFIXES):
        key = key.partition(".")[2]
    if key in wanted:
        return key
    for table in (CONVNET, TRANSFORMER):
        name = key
        for pattern, replacement in (*PARAMETERS, *table):
            name = re.sub(pattern, replacement, name)
        if name in wanted:
            return name
    return key
