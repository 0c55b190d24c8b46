"""How far a computed value may be from the exact one, and why. Tests name a row; no number stands inline."""

# Every operator is a chain of 6 to 8 roundings in the wide dtype, each at most half a unit in the last place:
# 8 · 2⁻²⁴ in float32 and 8 · 2⁻⁵³ in float64.
CHAIN_FLOAT32 = 2.0**-21
CHAIN_FLOAT64 = 2.0**-50

# The slopes hold cubes of such chains: three times their error, rounded up to a power of two.
CUBED_CHAIN_FLOAT32 = 2.0**-19

# x/2·(1 + S·t) cancels for very negative x and S = 1: t is off by a few units in its last place, and |x|·(1 + S)/2
# scales that. The same factor bounds the slopes 1 + S·t·(…), relative to 1 + S.
CANCELLATION_FLOAT32 = 2.0**-22

# Results below float32's normal range keep an absolute accuracy only: a unit of the subnormals is 2⁻¹⁴⁹, and the
# smallest s and largest S of the tests multiply it by less than 2²⁰.
SUBNORMAL_FLOAT32 = 2.0**-126

# Beyond |u| = 2³⁰ the slope of SALU stays at a·2⁻⁹⁰ while the exact one goes on falling towards 0.
CLAMPED_SLOPE = 2.0**-89

# Automatic differentiation of the plain formula (what a compiler sees) has dt/du = r - u²·r³, which cancels for
# large u, where the closed form r³ does not: an absolute error relative to the largest slope, a for SALU.
TRACED_SLOPE_FLOAT32 = 2.0**-20

# A float32 sum over n terms, for the gradients of a and b; n is below 2¹⁰ in the tests.
SUM_FLOAT32 = 2.0**-16

# The quadrature used as a reference of the variance map has 128 nodes; its own error at c = a·b·q <= 1 is about 1e-9.
QUADRATURE = 1e-8

# The variance map switches from a series to a closed form that cancels: about 12 digits are left there.
VARIANCE_MAP = 1e-11

# FleS: a gate of about ten roundings whose coefficients come from sums over a few positions, a LayerNorm and two small
# linear layers; the root of a small variance magnifies their errors by up to some tens in the tests.
FLES_FLOAT32 = 2.0**-16
FLES_FLOAT64 = 2.0**-44

# x·σ(1.702·x) differs from GELU by at most 0.0203, near x = ±2.2.
GELU_GAP = 0.0204
