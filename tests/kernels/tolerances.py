"""How far a kernel may be from float64, and why; as a fraction of the sum of the magnitudes that enter a result."""

import torch

# About 15 roundings in float32, among them the hardware's root and exponential, which are off by up to two units in
# the last place: 16 · 2⁻²³, with room for the cancellation that the magnitudes do not show.
CHAIN = 2.0**-18

# exp(z) is 2 to the rounded product of z and log2(e): relative to the result the error grows with |z|, and |z| reaches
# 88 before the sigmoid is 0.
EXPONENTIAL = 2.0**-16

# Sums of up to 2¹² products, each off as above, added in a tree.
SUM = 2.0**-17

# Below float32's normal range, and where the clamped slope of SALU stays at a·2⁻⁹⁰, only absolute accuracy is left.
SMALLEST = 2.0**-80

# The result is rounded once to the dtype of x; Triton's interpreter cuts bfloat16 off where hardware rounds to nearest.
LAST_ROUNDING = {torch.float32: 0.0, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-7}

# Half a unit of the subnormals: 2⁻²⁵ in float16. Those of bfloat16 are as small as float32's.
SUBNORMAL = {torch.float32: 2.0**-149, torch.float16: 2.0**-24, torch.bfloat16: 2.0**-126}

# Two float32 evaluations of the same number, beside each other.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}

# Third derivatives in float32 of formulas whose intermediate results differ in the last place.
HIGHER = {"rtol": 1e-3, "atol": 1e-3}
