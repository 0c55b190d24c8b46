"""Random weights that a proof or a timing says something with."""

import torch

from export.inputs.random_weights import stir
from zoo.activations import FleS
from zoo.activations.learned_pair import LearnedPair
from zoo.models import build_model


def logits(name, seed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = stir(build_model(name), seed).eval()
        images = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        return model, model(images)


def test_a_stirred_network_listens_to_its_input_and_is_itself_again():
    for name in ("fles_resnet18_cifar", "salunet_c18_cifar"):
        model, found = logits(name, 0)
        assert found.isfinite().all()
        assert float(found.std(0).max()) > 0.005 * float(found.abs().max())
        assert torch.equal(found, logits(name, 0)[1])
        assert not torch.equal(found, logits(name, 1)[1])
        for module in model.modules():
            if isinstance(module, LearnedPair):
                assert module.a.item() > 0
                assert module.a.item() != module.b.item()
            if isinstance(module, FleS):
                assert module.vertical_weight.any()
            if isinstance(module, torch.nn.BatchNorm2d):
                assert bool((module.weight > 0).all())
                assert bool((module.running_var > 0).all())
