"""What both families of SaluNets share: no normalisation layer, and two scalars at every place of their own."""

import pytest
from torch import nn

from zoo.activations import GALU, SALU, SWALU
from zoo.models import MODELS, build_model

from .cases import meta_model, small_model

SALUNETS = [name for name in MODELS if MODELS.get(name).family.startswith("salunet")]
NORMALISATION = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)
# SALUs and gates of each backbone; the others are vision transformers of 12 blocks.
COUNTS = {
    "salunet_c18": (20, 17),
    "salunet_c34": (36, 33),
    "salunet_c50": (53, 49),
    "salunet_c101": (104, 100),
    "salunet_t_cifar": (15, 14),
}


@pytest.mark.parametrize("name", SALUNETS)
def test_has_no_normalisation_and_shares_no_activation(name: str) -> None:
    model = meta_model(name)
    assert not [key for key, module in model.named_modules() if isinstance(module, NORMALISATION)]
    learned = [key for key, module in model.named_modules(remove_duplicate=False) if isinstance(module, SALU)]
    gates = [key for key, module in model.named_modules(remove_duplicate=False) if isinstance(module, SWALU | GALU)]
    modules = [model.get_submodule(key) for key in learned + gates]
    assert len({id(module) for module in modules}) == len(modules)
    assert len({id(p) for module in modules for p in module.parameters()}) == 2 * len(modules)
    stem = name if name in COUNTS else name.removesuffix("_cifar")
    assert (len(learned), len(gates)) == COUNTS.get(stem, (25, 12))


@pytest.mark.parametrize("name", ["salunet_c18_cifar", "salunet_t_cifar"])
@pytest.mark.parametrize("act", ["fles", "star_relu", "prelu"])
def test_takes_any_gate_of_the_zoo(name: str, act: str) -> None:
    model = small_model(name, act=act, device="meta")
    learned = [module for module in model.modules() if getattr(module, "channel_axis", None) is not None]
    axis = MODELS.get(name).channel_axis
    assert {module.channel_axis for module in learned} == (set() if act == "star_relu" else {axis})
    assert build_model(name, act=act).eval()
