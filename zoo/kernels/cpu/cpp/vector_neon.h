// Four lanes: the vector unit every 64-bit ARM processor has.
#pragma once
#include "block.h"

namespace salu_zoo {

INLINE Vector splat(float v) { return vdupq_n_f32(v); }
INLINE Vector fma(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
INLINE Vector fnma(Vector a, Vector b, Vector c) { return vfmsq_f32(c, a, b); }
// A NaN stays NaN.
INLINE Vector at_most(Vector v, Vector bound) { return vminq_f32(v, bound); }
INLINE Vector at_least(Vector v, Vector bound) { return vmaxq_f32(v, bound); }

INLINE Vector refined(Vector v, Vector r) { return fma(r * splat(0.5f), fnma(v * r, r, splat(1.0f)), r); }
// The estimate is good to 2⁻⁸: two second-order steps end below rounding.
INLINE Vector inverse_sqrt(Vector v) { return refined(v, refined(v, vrsqrteq_f32(v))); }

// 1/v for v >= 1; exactly 0 at +inf.
INLINE Vector inverse(Vector v) { return splat(1.0f) / v; }

INLINE Vector as_floats(uint32x4_t bits) { return vreinterpretq_f32_u32(bits); }
INLINE uint32x4_t as_bits(Vector v) { return vreinterpretq_u32_f32(v); }

// 2ⁿ for the n in the low bits of each lane, -127 to 128.
INLINE Vector power_of_two(Vector n) { return as_floats(vshlq_n_u32(vaddq_u32(as_bits(n), vdupq_n_u32(127)), 23)); }

// `yes` except where v <= 0, so also at NaN.
INLINE Vector unless_nonpositive(Vector v, Vector yes) {
    return as_floats(vbicq_u32(as_bits(yes), vclezq_f32(v)));
}
// Counts where v is not >= 0, so also NaN.
INLINE Vector count_negative(Vector v, Vector count) {
    return count + as_floats(vbicq_u32(as_bits(splat(1.0f)), vcgezq_f32(v)));
}
INLINE Vector masked(Vector v, Vector bits) { return as_floats(vandq_u32(as_bits(v), as_bits(bits))); }

INLINE Vector load(const float* p) { return vld1q_f32(p); }
INLINE void store(float* p, Vector v) { vst1q_f32(p, v); }

INLINE double sum_of(Vector v) { return vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v))); }

INLINE Block load_block(const Float16* p) {
    const float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(&p->bits));
    return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
}
INLINE void store_block(Float16* p, Block v) {
    vst1q_u16(&p->bits, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(v.a), v.b)));
}

INLINE Block load_block(const Bfloat16* p) {
    const uint32x4_t bits = vreinterpretq_u32_u16(vld1q_u16(&p->bits));
    return {as_floats(vshlq_n_u32(bits, 16)), as_floats(vandq_u32(bits, vdupq_n_u32(0xffff0000u)))};
}
// To the nearest, to even if two are. A NaN would need care if its low bits were set: see `canonical`.
INLINE uint32x4_t rounded(Vector v) {
    const uint32x4_t bits = as_bits(v), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
}
INLINE void store_block(Bfloat16* p, Block v) {
    const uint32x4_t both = vsriq_n_u32(rounded(v.b), rounded(v.a), 16);
    vst1q_u16(&p->bits, vreinterpretq_u16_u32(both));
}

}  // namespace salu_zoo
