"""What the batch-size study trains: two networks by four batch sizes, and how each cell finds its learning rate.

The rule, fixed before any test image was looked at and the same for both networks [ours]: around 0.15·sqrt(B / 512),
which at batch size 512 is half the paper's rate, three rates a factor of 3 apart are tried on max(512, 8·B) training
images each; the one with the lowest cross-entropy on 1,000 further training images trains the cell.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from zoo.training import Recipe

BATCH_SIZES = (1, 4, 32, 512)
HELD_OUT = 1000
_RATE, _BATCH = 0.15, 512
_FACTORS = (1 / 3, 1.0, 3.0)
_PROBE_IMAGES, _PROBE_STEPS = 512, 8


@dataclass(frozen=True)
class Network:
    """One of the two networks.

    Args:
        label: its name in table and picture.
        norm, act, args: of `zoo.models.build_model`, beside the recipe's.
    """

    label: str
    norm: str
    act: str
    args: dict[str, Any]


# SALU and SWALU start with a higher gain than the standard, as in the recipe c18_cifar10_short: with the standard start
# a run this short ends before the loss has moved.
SALUNET = Network("SaluNet-C-18", "salu", "swalu", {"salu_init": [1.5, 0.25], "gate_init": [0.7, 0.7]})
BASELINE = Network("BN+ReLU", "batchnorm", "relu", {})
NETWORKS = (SALUNET, BASELINE)


@dataclass(frozen=True)
class Cell:
    """One network at one batch size with one seed."""

    network: Network
    batch_size: int
    seed: int

    @property
    def name(self) -> str:
        """The start of its runs' folder names."""
        return f"{self.network.norm}_b{self.batch_size}_seed{self.seed}"

    def recipe(self, base: Recipe, rate: float) -> Recipe:
        """The recipe of one training of this cell."""
        return replace(
            base,
            data=replace(base.data, batch_size=self.batch_size),
            model=replace(
                base.model, norm=self.network.norm, act=self.network.act, args={**base.model.args, **self.network.args}
            ),
            optimizer=replace(base.optimizer, lr=rate),
            runtime=replace(base.runtime, seed=self.seed),
        )


def rates(batch_size: int) -> tuple[float, ...]:
    """The learning rates a cell tries, rounded to three digits; see the rule above."""
    centre = _RATE * math.sqrt(batch_size / _BATCH)
    return tuple(float(f"{centre * factor:.3g}") for factor in _FACTORS)


def probe_images(batch_size: int) -> int:
    """On how many training images each of them is tried."""
    return max(_PROBE_IMAGES, _PROBE_STEPS * batch_size)
