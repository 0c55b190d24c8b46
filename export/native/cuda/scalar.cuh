// One float as the formulas' vector type; on the host too, where tests run it without a GPU.
#pragma once

#include <cuda_fp16.h>

#include <cmath>
#include <cstring>

#include "../cpp/formulas.h"

namespace salu_zoo {
namespace {

struct Lane {
    float value;

    SALU_ZOO_INLINE static Lane set(float v) { return {v}; }
    SALU_ZOO_INLINE static Lane fma(Lane a, Lane b, Lane c) { return {fmaf(a.value, b.value, c.value)}; }
    SALU_ZOO_INLINE static Lane abs(Lane v) { return {fabsf(v.value)}; }
    SALU_ZOO_INLINE static Lane copysign(Lane size, Lane sign) { return {copysignf(size.value, sign.value)}; }
    SALU_ZOO_INLINE static Lane where_ge(Lane a, Lane b, Lane yes, Lane no) { return a.value >= b.value ? yes : no; }
    SALU_ZOO_INLINE static Lane inverse_sqrt(Lane v) {
#if defined(__CUDA_ARCH__)
        return {rsqrtf(v.value)};  // off by 2 units in the last place at most
#else
        return {1.0f / std::sqrt(v.value)};
#endif
    }
    SALU_ZOO_INLINE static Lane power_of_two(Lane shifted, unsigned bias) {
        unsigned bits;
        memcpy(&bits, &shifted.value, sizeof bits);
        bits = (bits + 127u + bias) << 23;
        float power;
        memcpy(&power, &bits, sizeof power);
        return {power};
    }
};

SALU_ZOO_INLINE Lane operator+(Lane a, Lane b) { return {a.value + b.value}; }
SALU_ZOO_INLINE Lane operator-(Lane a, Lane b) { return {a.value - b.value}; }
SALU_ZOO_INLINE Lane operator*(Lane a, Lane b) { return {a.value * b.value}; }
SALU_ZOO_INLINE Lane operator/(Lane a, Lane b) { return {a.value / b.value}; }

SALU_ZOO_INLINE Lane lane(float v) { return {v}; }
SALU_ZOO_INLINE Lane lane(__half v) { return {__half2float(v)}; }
SALU_ZOO_INLINE void put(float* to, Lane v) { *to = v.value; }
SALU_ZOO_INLINE void put(__half* to, Lane v) { *to = __float2half_rn(v.value); }

// A formula of one or two inputs, on element i.
template <template <class> class F, class T>
SALU_ZOO_INLINE void one_element(const T* x, const T*, T* y, size_t i, const Unit* units) {
    put(y + i, F<Lane>(units)(lane(x[i])));
}

template <template <class> class F, class T>
SALU_ZOO_INLINE void two_elements(const T* x, const T* r, T* y, size_t i, const Unit* units) {
    put(y + i, F<Lane>(units)(lane(x[i]), lane(r[i])));
}

template <class T>
SALU_ZOO_INLINE void gate_element(const ChannelShape& shape, const T* x, const T* vertical, const T* horizontal, T* y,
                                  size_t i) {
    const size_t block = i / shape.inner / shape.channels / shape.outer, sample = block / shape.blocks;
    const size_t channel = block % shape.blocks * shape.channels + i / shape.inner % shape.channels;
    put(y + i, fles_gate(lane(x[i]), lane(vertical[sample * shape.vertical_step + channel]),
                         lane(horizontal[sample * shape.horizontal_step + channel])));
}

// The elements >= 0 of a channel, as far as one thread sees them. In double: a GPU waits for memory here.
struct PositiveSum {
    double total, number;
};

SALU_ZOO_INLINE PositiveSum joined(PositiveSum a, PositiveSum b) { return {a.total + b.total, a.number + b.number}; }

// Positions first, first + step, ... of mean i, counted through samples and channels. NaN counts too.
template <class T>
SALU_ZOO_INLINE PositiveSum positive_sum(const ChannelShape& shape, const T* x, size_t i, size_t first, size_t step) {
    const size_t channel = i % shape.channels, block = i / shape.channels, positions = shape.outer * shape.inner;
    PositiveSum sum{0.0, 0.0};
    for (size_t p = first; p < positions; p += step) {
        const size_t outer = p / shape.inner, inner = p % shape.inner;
        const float value = lane(x[((block * shape.outer + outer) * shape.channels + channel) * shape.inner + inner]).value;
        if (!(value < 0.0f)) sum = joined(sum, {static_cast<double>(value), 1.0});
    }
    return sum;
}

template <class T>
SALU_ZOO_INLINE void put_mean(T* to, PositiveSum sum) {
    put(to, lane(static_cast<float>(sum.total / (sum.number > 1.0 ? sum.number : 1.0))));
}

}  // namespace
}  // namespace salu_zoo
