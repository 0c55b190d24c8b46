// The saturating unit t = u / sqrt(1 + u²) with u = s·z, and what its gradients sum.
//
// With r = 1 / sqrt(1 + u²) and t² + r² = 1, the slopes of SALU are
//     d/dz = a·r³,    d/da = (2·t·r² + t³) / (2·s),    d/db = -S/(2·b) · t³,
// so that two sums, of t·r² and of t³, give both parameters' gradients; everything else stands before the sums.
#pragma once
#include <cmath>

#include "vector.h"

namespace salu_zoo {

// Where u is clamped: 1 + u² = u² there, and u² is far from overflow.
constexpr float kLimit = 0x1p30f;

// The only NaN with a payload could come in here; without it every NaN survives the rounding to bfloat16.
inline float canonical(float v) { return v != v ? NAN : v; }
inline float guard(float p) {
    const float size = std::fabs(canonical(p));
    return size < 1e-6f ? 1e-6f : size;
}
inline float direction(float p) { return p < 0.0f ? -1.0f : 1.0f; }

// What a pair (a, b) comes to.
struct Pair {
    float a, b, scale, saturation, side_a, side_b;

    explicit Pair(const float* p)
        : a(guard(p[0])),
          b(guard(p[1])),
          scale(std::sqrt(a) * std::sqrt(b)),
          saturation(std::sqrt(a) / std::sqrt(b)),
          side_a(direction(p[0])),
          side_b(direction(p[1])) {}

    // From the sums of t·r² and t³, each times `factor`.
    void gradients(const double* sums, double factor, double* to) const {
        to[0] = side_a * factor * (2.0 * sums[0] + sums[1]) / (2.0 * scale);
        to[1] = side_b * factor * -sums[1] * saturation / (2.0 * b);
    }
};

struct Unit {
    Vector t, r;
};

INLINE Unit unit(Vector u) {
    const Vector r = inverse_sqrt(fma(u, u, splat(1.0f)));
    return {u * r, r};
}

}  // namespace salu_zoo
