"""The tiny network and images of the training tests serve the experiments as well."""

from training.conftest import _tiny_model_is_registered, tiny_data  # noqa: F401 fixtures
