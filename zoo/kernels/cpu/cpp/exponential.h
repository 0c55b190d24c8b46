// exp(z), within two units in the last place.
#pragma once
#include "vector.h"

namespace salu_zoo {

// 2ⁿ·exp(f) with |f| <= ln(2)/2; 0 below z = -87.7, and +inf above 88.4.
INLINE Vector exponential(Vector z) {
    const Vector shift = splat(0x1.8p23f);  // rounds to an integer, which the low bits then hold
    z = at_most(at_least(z, splat(-88.0f)), splat(89.0f));
    const Vector n = fma(z, splat(1.44269504f), shift);
    const Vector f = fnma(n - shift, splat(0.693147181f), z);
    Vector p = fma(splat(8.312501e-3f), f, splat(4.1890331e-2f));
    p = fma(p, f, splat(1.6667116e-1f));
    p = fma(p, f, splat(4.9999231e-1f));
    p = fma(p, f, splat(1.0f));
    p = fma(p, f, splat(1.0f));
    return p * power_of_two(n);
}

}  // namespace salu_zoo
