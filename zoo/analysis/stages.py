"""The parts of a network that figures are grouped by: stem, stages or blocks, downsampling, head."""

import re

DOWNSAMPLING = "Downsampling"
STEM, HEAD, OTHER = "Stem", "Head", "Other"

# What the numbered parts of a backbone are called: ResNet, then PoolFormer and Swin, then ViT and BERT.
_NUMBERED = (
    (re.compile(r"(?:^|\.)layer([1-9])\."), "L", 0),
    (re.compile(r"^(?:stages|layers)\.(\d+)\."), "S", 1),
    (re.compile(r"(?:^|\.)(?:blocks|layer)\.(\d+)\."), "B", 1),
)
_STEM = frozenset({"conv1", "bn1", "act1", "maxpool", "stem", "patch_embed", "pos_drop", "norm_pre", "embeddings"})
_HEAD = frozenset({"norm", "fc_norm", "global_pool", "head", "head_drop", "fc", "pooler", "classifier"})


def stage_of(path: str) -> str:
    """The stage of a module, by its path in a backbone of timm or transformers.

    Returns:
        "Stem"; "L1" to "L4" of a ResNet; "S1", "S2", ... of a PoolFormer or Swin; "B1", "B2", ... for the blocks of a
        transformer; "Downsampling" for what changes the resolution between stages, whatever the stage; "Head"; "Other"
        for a path of another network. The first four are the rows of table 6 of arXiv 2606.02927.

    >>> stage_of("layer2.0.bn1"), stage_of("layer2.0.downsample.1"), stage_of("blocks.3.mlp.act1"), stage_of("act1")
    ('L2', 'Downsampling', 'B4', 'Stem')
    """
    parts = path.split(".")
    if "downsample" in parts:
        return DOWNSAMPLING
    for pattern, letter, first in _NUMBERED:
        found = pattern.search(f"{path}.")
        if found:
            return f"{letter}{int(found[1]) + first}"
    named = next((part for part in parts if part in _STEM | _HEAD), "")
    return STEM if named in _STEM else HEAD if named in _HEAD else OTHER
