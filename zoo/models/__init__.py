"""Models: timm's backbones with the zoo's activations. Each file registers its models; adding a file is enough."""

import sys

from zoo.models.build import build_model, list_models
from zoo.models.inputs import check_input, fit_positions
from zoo.models.model_spec import MODELS, ModelSpec
from zoo.models.parts import NORMS
from zoo.registry import import_submodules
from zoo.timm import register_all

import_submodules(sys.modules[__name__])
register_all()

__all__ = ["MODELS", "NORMS", "ModelSpec", "build_model", "check_input", "fit_positions", "list_models"]
