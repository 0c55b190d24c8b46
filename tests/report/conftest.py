"""One analysis of a network for each kind, shared by the tests of the report."""

import pytest

from zoo.report import analyze

SALUNET = "fresh:salunet_t_cifar"
FLES = "fles_poolformer_cifar.cifar10"


@pytest.fixture(scope="session")
def sample(repository):
    """500 real test images."""
    return repository / "demo" / "cifar10_sample"


@pytest.fixture(scope="session")
def compared(sample):
    """A network with SALU beside its twin with LayerNorm and GELU."""
    return analyze(
        SALUNET, dataset="cifar10", data=sample, images=2, baseline="fresh,norm=layernorm,act=gelu", bound=False
    )


@pytest.fixture(scope="session")
def coefficients(sample):
    """Published weights with FleS."""
    return analyze(FLES, data=sample, images=4, bound=False)


@pytest.fixture(scope="session")
def weights_only():
    """A network of which nothing is measured."""
    return analyze("fresh:salunet_c18_cifar,classes=7,seed=3", bound=False)
