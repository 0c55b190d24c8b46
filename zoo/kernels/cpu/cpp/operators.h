// SALU, its gates and their composites: value and slopes of one vector of elements.
//
// `backward` returns the gradients of the tensors and adds to `sums`, from which `gradients` makes those of the
// parameters. A parameter costs one multiplication and one addition per element.
#pragma once
#include "unit.h"

namespace salu_zoo {

struct Slopes {
    Vector dx, dskip;
};

// Adds weight·t·r² and weight·t³, see unit.h.
INLINE void add_unit(Vector* sums, Vector weight, Vector t, Vector r2) {
    const Vector part = weight * t;
    sums[0] = fma(part, r2, sums[0]);
    sums[1] = fma(part, t * t, sums[1]);
}

// SALU, as the whole operator and as a part of the others.
struct Salu {
    static constexpr int kPairs = 1;
    static constexpr bool kSkip = false;
    Pair pair;
    Vector scale = splat(pair.scale), saturation = splat(pair.saturation), slope = splat(pair.a);
    Vector limit = splat(kLimit);

    explicit Salu(const float* p) : pair(p) {}

    INLINE Unit at(Vector x) const { return unit(clamped(x * scale, limit)); }
    INLINE Vector forward(Vector x, Vector) const { return saturation * at(x).t; }

    template <bool kSums>
    INLINE Vector back(Vector g, const Unit& at, Vector* sums) const {
        const Vector r2 = at.r * at.r;
        if (kSums) add_unit(sums, g, at.t, r2);
        return (g * slope) * (at.r * r2);
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector, Vector* sums) const {
        return {back<kSums>(g, at(x), sums), none()};
    }
    void gradients(const double* sums, double* to) const { pair.gradients(sums, 1.0, to); }
};

// x/2 · (1 + S·t): the gate, whatever t comes from.
struct Gate {
    Pair pair;
    Vector saturation = splat(pair.saturation), half_saturation = splat(0.5f * pair.saturation);
    // At -inf and S = 1 the limit is 0: any finite stand-in for -inf gives it.
    Vector lowest = splat(pair.saturation == 1.0f ? -0x1.fffffep127f : -INFINITY);

    explicit Gate(const float* p) : pair(p) {}

    INLINE Vector value(Vector x, Vector t) const {
        return at_least(x * splat(0.5f), lowest) * fma(saturation, t, splat(1.0f));
    }
    // g times the slope, (1 + S·m)/2.
    INLINE Vector times_slope(Vector g, Vector m) const { return g * fma(half_saturation, m, splat(0.5f)); }
    void gradients(const double* sums, double* to) const { pair.gradients(sums, 0.5, to); }
};

struct Swalu {
    static constexpr int kPairs = 1;
    static constexpr bool kSkip = false;
    Gate gate;
    Vector scale = splat(gate.pair.scale), limit = splat(kLimit);

    explicit Swalu(const float* p) : gate(p) {}

    INLINE Vector forward(Vector x, Vector) const { return gate.value(x, unit(clamped(x * scale, limit)).t); }

    template <bool kSums>
    INLINE Vector back(Vector g, Vector x, Vector* sums) const {
        const Unit at = unit(clamped(x * scale, limit));
        const Vector r2 = at.r * at.r;
        if (kSums) add_unit(sums, g * x, at.t, r2);
        return gate.times_slope(g, fma(at.t, r2, at.t));
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector, Vector* sums) const {
        return {back<kSums>(g, x, sums), none()};
    }
    void gradients(const double* sums, double* to) const { gate.gradients(sums, to); }
};

// u = s·ψ(x), ψ(x) = sqrt(2/π)·(x + 0.044715·x³); x is clamped where the gate is saturated and u² far from overflow.
struct Galu {
    static constexpr int kPairs = 1;
    static constexpr bool kSkip = false;
    static constexpr float kScale = 0.7978845608f, kCubic = 0.044715f;
    Gate gate;
    Vector scale = splat(gate.pair.scale * kScale), limit = splat(bound(gate.pair.scale));

    explicit Galu(const float* p) : gate(p) {}

    static float bound(float scale) {
        const float cube = 0x1p62f / (scale * kScale * kCubic);
        return cube < 0x1p60f ? std::cbrt(cube) : 0x1p20f;
    }
    INLINE Vector forward(Vector x, Vector) const {
        const Vector z = clamped(x, limit), line = z * scale;
        return gate.value(x, unit(fma(line, z * z * splat(kCubic), line)).t);
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector, Vector* sums) const {
        const Vector z = clamped(x, limit), line = z * scale, cubic = line * (z * z * splat(kCubic));
        const Unit at = unit(line + cubic);
        const Vector r2 = at.r * at.r;
        if (kSums) add_unit(sums, g * x, at.t, r2);
        // s·x·ψ' = line + 3·cubic; times r it is at most 3, which comes before r².
        return {gate.times_slope(g, fma(fma(splat(3.0f), cubic, line) * at.r, r2, at.t)), none()};
    }
    void gradients(const double* sums, double* to) const { gate.gradients(sums, to); }
};

// SWALU(SALU(x)). Its value, as those of the other composites, has the bits that the operators one after another give.
struct SaluSwalu {
    static constexpr int kPairs = 2;
    static constexpr bool kSkip = false;
    Salu inner;
    Swalu outer;

    explicit SaluSwalu(const float* p) : inner(p), outer(p + 2) {}

    INLINE Vector forward(Vector x, Vector) const {
        return outer.forward(inner.forward(x, none()), none());
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector, Vector* sums) const {
        const Unit at = inner.at(x);
        return {inner.back<kSums>(outer.back<kSums>(g, inner.saturation * at.t, sums + 2), at, sums), none()};
    }
    void gradients(const double* sums, double* to) const {
        inner.gradients(sums, to);
        outer.gradients(sums + 2, to + 2);
    }
};

// SWALU(SALU(x) + skip).
struct SaluAddSwalu {
    static constexpr int kPairs = 2;
    static constexpr bool kSkip = true;
    Salu inner;
    Swalu outer;

    explicit SaluAddSwalu(const float* p) : inner(p), outer(p + 2) {}

    INLINE Vector forward(Vector x, Vector skip) const {
        return outer.forward(inner.forward(x, none()) + skip, none());
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector skip, Vector* sums) const {
        const Unit at = inner.at(x);
        const Vector dy = outer.back<kSums>(g, fma(inner.saturation, at.t, skip), sums + 2);
        return {inner.back<kSums>(dy, at, sums), dy};
    }
    void gradients(const double* sums, double* to) const {
        inner.gradients(sums, to);
        outer.gradients(sums + 2, to + 2);
    }
};

// SWALU(SALU(x) + SALU(skip)).
struct SaluAddSaluSwalu {
    static constexpr int kPairs = 3;
    static constexpr bool kSkip = true;
    Salu left, right;
    Swalu outer;

    explicit SaluAddSaluSwalu(const float* p) : left(p), right(p + 2), outer(p + 4) {}

    INLINE Vector forward(Vector x, Vector skip) const {
        return outer.forward(left.forward(x, none()) + right.forward(skip, none()), none());
    }
    template <bool kSums>
    INLINE Slopes backward(Vector g, Vector x, Vector skip, Vector* sums) const {
        const Unit at = left.at(x), other = right.at(skip);
        const Vector y = fma(left.saturation, at.t, right.saturation * other.t);
        const Vector dy = outer.back<kSums>(g, y, sums + 4);
        return {left.back<kSums>(dy, at, sums), right.back<kSums>(dy, other, sums + 2)};
    }
    void gradients(const double* sums, double* to) const {
        left.gradients(sums, to);
        right.gradients(sums + 2, to + 2);
        outer.gradients(sums + 4, to + 4);
    }
};

}  // namespace salu_zoo
