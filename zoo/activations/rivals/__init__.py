"""Baseline modules that the two papers compare with, each from its own paper.

DyT and Derf replace normalisation layers. The others are drop-in gates: torch's ReLU, GELU, SiLU and Mish, PReLU,
Pserf, SMU, SMU-1, StarReLU, ACON-C, Meta-ACON, FReLU, DY-ReLU, PWLU and AdaShift. SE stands beside a gate, and IIEU
needs its layer as well. `zoo list activations` names the sources; each file says which printed count it meets, and
is found by itself.

What could not be established, and is left out rather than guessed:

- IIEU with 13.4 M in Swin-Min and 14.3 M in PoolFormer-S12: `IIEU` is IIEU-B, 25.6 M in ResNet-50 as printed.
- AdaShift with 13.7 M in Swin-Min and 15.1 M in PoolFormer-S12: `AdaShift` is AdaShift-B, 25.6 M in ResNet-50 as
  printed, 11.8 M and 11.9 M in those two.
- DY-ReLU's placement in ResNet-50, 27.6 M printed: `DyReLU` is the paper's variant B, without a claim to that count.
- The count of PWLU: the slides print none.
"""

import sys

from zoo.registry import import_submodules

import_submodules(sys.modules[__name__])
