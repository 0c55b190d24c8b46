"""The tiny network and images of the training tests serve the experiments as well."""

import plasticity
import pytest
import transformer_gap
from training.conftest import _tiny_model_is_registered, tiny_data  # noqa: F401 fixtures

from zoo.models import MODELS


@pytest.fixture(scope="module", autouse=True)
def _no_model_of_a_script_stays():
    """Other tests of this process list the models."""
    yield
    for name in (plasticity.NAME, transformer_gap.NAME):
        MODELS._items.pop(name, None)
