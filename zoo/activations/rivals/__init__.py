"""Baseline modules that the two papers compare with, each from its own paper.

DyT and Derf replace normalisation layers. The others are drop-in gates: torch's ReLU, GELU, SiLU and Mish, PReLU,
Pserf, SMU, SMU-1, StarReLU, ACON-C, Meta-ACON, FReLU, DY-ReLU, PWLU and AdaShift. SE stands beside a gate, and IIEU
needs its layer as well. `zoo list activations` names the sources; each file says which printed count it meets.

What could not be established, and is left out rather than guessed:

- IIEU with 13.4 M in Swin-Min and 14.3 M in PoolFormer-S12: `IIEU` is IIEU-B, 25.6 M in ResNet-50 as printed.
- AdaShift with 13.7 M in Swin-Min and 15.1 M in PoolFormer-S12: `AdaShift` is AdaShift-B, 25.6 M in ResNet-50 as
  printed, 11.8 M and 11.9 M in those two.
- DY-ReLU's placement in ResNet-50, 27.6 M printed: `DyReLU` is the paper's variant B, without a claim to that count.
- The count of PWLU: the slides print none.
"""

from zoo.activations.rivals.acon_c import ACONC, acon_c
from zoo.activations.rivals.adashift import AdaShift, adashift
from zoo.activations.rivals.derf import Derf, derf
from zoo.activations.rivals.dy_relu import DyReLU, dy_relu
from zoo.activations.rivals.dyt import DyT, dyt
from zoo.activations.rivals.frelu import FReLU, frelu
from zoo.activations.rivals.iieu import IIEU, iieu
from zoo.activations.rivals.meta_acon import MetaACON
from zoo.activations.rivals.prelu import PReLU, prelu
from zoo.activations.rivals.pserf import Pserf, pserf
from zoo.activations.rivals.pwlu import PWLU, pwlu
from zoo.activations.rivals.se import se
from zoo.activations.rivals.smu import SMU, smu
from zoo.activations.rivals.smu_1 import SMU1, smu_1
from zoo.activations.rivals.star_relu import StarReLU, star_relu
from zoo.activations.rivals.torch_gates import TORCH_GATES

__all__ = [
    "ACONC",
    "IIEU",
    "PWLU",
    "SMU",
    "SMU1",
    "TORCH_GATES",
    "AdaShift",
    "Derf",
    "DyReLU",
    "DyT",
    "FReLU",
    "MetaACON",
    "PReLU",
    "Pserf",
    "StarReLU",
    "acon_c",
    "adashift",
    "derf",
    "dy_relu",
    "dyt",
    "frelu",
    "iieu",
    "prelu",
    "pserf",
    "pwlu",
    "se",
    "smu",
    "smu_1",
    "star_relu",
]
