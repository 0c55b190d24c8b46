// The formulas, once, over a vector type V of four to sixteen elements. All of it has internal
// linkage, so that no linker can pick the copy of another instruction set.
#pragma once

#include "kernels.h"

namespace salu_zoo {
namespace {

// V offers: kWidth; load, store, load_part, store_part; set; fma(a, b, c) = a·b + c; abs; copysign;
// where_ge(a, b, yes, no), which is `no` where a or b is NaN; inverse_sqrt for 1 <= v; power_of_two; + - * /.

template <class V>
struct UnitOf {
    V gain, scale, limit, lowest;
    inline explicit UnitOf(const Unit& unit)
        : gain(V::set(unit.gain)), scale(V::set(unit.scale)), limit(V::set(unit.limit)), lowest(V::set(unit.lowest)) {}
};

template <class V>
inline V bounded(V z, const UnitOf<V>& unit) {
    const V u = unit.scale * z;
    const V inside = unit.gain * z * V::inverse_sqrt(V::fma(u, u, V::set(1.0f)));
    return V::where_ge(V::abs(u), V::set(kSaturated), V::copysign(unit.limit, z), inside);
}

// x·(1/2 + half), half = bounded(...) of a gate's unit; -inf becomes `lowest`.
template <class V>
inline V gated(V x, V half, const UnitOf<V>& unit) {
    return V::where_ge(unit.lowest, x, unit.lowest, x) * (V::set(0.5f) + half);
}

template <class V>
struct SaluOf {
    UnitOf<V> unit;
    inline explicit SaluOf(const Unit* units) : unit(units[0]) {}
    inline V operator()(V x) const { return bounded(x, unit); }
};

template <class V>
struct SwaluOf {
    UnitOf<V> unit;
    inline explicit SwaluOf(const Unit* units) : unit(units[0]) {}
    inline V operator()(V x) const { return gated(x, bounded(x, unit), unit); }
};

template <class V>
struct GaluOf {
    UnitOf<V> unit;
    inline explicit GaluOf(const Unit* units) : unit(units[0]) {}
    inline V operator()(V x) const {
        // The factor sqrt(2/pi) of psi is in the unit. An overflow to ±inf here is saturated there.
        const V psi = x * V::fma(V::set(0.044715f) * x, x, V::set(1.0f));
        return gated(x, bounded(psi, unit), unit);
    }
};

template <class V>
struct SaluSwaluOf {
    UnitOf<V> first, second;
    inline explicit SaluSwaluOf(const Unit* units) : first(units[0]), second(units[1]) {}
    inline V operator()(V x) const {
        const V y = bounded(x, first);
        return gated(y, bounded(y, second), second);
    }
};

template <class V>
struct SaluAddSwaluOf {
    UnitOf<V> first, second;
    inline explicit SaluAddSwaluOf(const Unit* units) : first(units[0]), second(units[1]) {}
    inline V operator()(V x, V r) const {
        const V y = bounded(x, first) + r;
        return gated(y, bounded(y, second), second);
    }
};

// exp(-z) for 0 <= z; NaN gives some number. exp(-105) is 0 in float32.
template <class V>
inline V exp_minus(V z) {
    const V depth = V::where_ge(V::set(105.0f), z, z, V::set(105.0f));
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    const V shifted = V::fma(depth, V::set(-1.44269504f), V::set(12582912.0f));
    const V n = shifted - V::set(12582912.0f);
    // ln 2 in two parts, of which n times the first is exact.
    const V f = V::fma(n, V::set(2.12194440e-4f), V::fma(n, V::set(-0.693359375f), V::set(0.0f) - depth));
    // (e^f - 1 - f) / f² on |f| <= ln(2)/2: minimax in the error relative to e^f, 3.1e-9.
    V p = V::set(0.00138146023f);
    p = V::fma(p, f, V::set(0.00836871564f));
    p = V::fma(p, f, V::set(0.041668389f));
    p = V::fma(p, f, V::set(0.166665211f));
    p = V::fma(p, f, V::set(0.49999994f));
    p = V::fma(p * f, f, f) + V::set(1.0f);
    // In two factors, so that only the second can round to a denormal.
    return p * V::power_of_two(shifted, 64) * V::set(5.42101086e-20f);  // 2⁻⁶⁴
}

// v·(σ(h·x)·x). |h| below 2⁻⁶⁴ counts as 2⁻⁶⁴, so that h = 0 keeps the limits at ±inf of a small h.
template <class V>
inline V fles_gate(V x, V vertical, V horizontal) {
    const V one = V::set(1.0f), zero = V::set(0.0f), least = V::set(5.42101086e-20f);
    const V signed_least = V::where_ge(horizontal, zero, least, zero - least);
    const V z = V::where_ge(least, V::abs(horizontal), signed_least, horizontal) * x;
    const V size = V::abs(z);
    const V e = exp_minus(size);
    const V sigmoid = V::where_ge(z, zero, one, e) / (one + e);
    return vertical * V::where_ge(size, zero, sigmoid, z) * x;  // where not: z is NaN
}

}  // namespace
}  // namespace salu_zoo
