// Sixteen lanes: AVX-512 F, BW, DQ and VL.
#pragma once
#include "block.h"

namespace salu_zoo {

INLINE Vector splat(float v) { return _mm512_set1_ps(v); }
INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
INLINE Vector fnma(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(a, b, c); }
// Of two numbers and a NaN, these instructions return the second operand.
INLINE Vector at_most(Vector v, Vector bound) { return _mm512_min_ps(bound, v); }
INLINE Vector at_least(Vector v, Vector bound) { return _mm512_max_ps(bound, v); }

// The exponent less one: on the integer units, which the multiplications leave idle. Not for 0 and NaN.
INLINE Vector half_of(Vector v) {
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(1 << 23)));
}

// The estimate is good to 2⁻¹⁴: one second-order step ends below rounding.
INLINE Vector inverse_sqrt(Vector v) {
    const Vector r = _mm512_rsqrt14_ps(v);
    return fma(half_of(r), fnma(v * r, r, splat(1.0f)), r);
}

// 1/v for v >= 1; exactly 0 at +inf.
INLINE Vector inverse(Vector v) {
    const Vector r = _mm512_rcp14_ps(v);
    const __mmask16 finite = _mm512_cmp_ps_mask(v, splat(INFINITY), _CMP_NEQ_UQ);
    return _mm512_maskz_fmadd_ps(finite, r, fnma(v, r, splat(1.0f)), r);
}

// 2ⁿ for the n in the low bits of each lane, -127 to 128.
INLINE Vector power_of_two(Vector n) {
    const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 23));
}

// `yes` except where v <= 0, so also at NaN.
INLINE Vector unless_nonpositive(Vector v, Vector yes) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, splat(0.0f), _CMP_NLE_UQ), yes);
}
// Counts where v is not >= 0, so also NaN.
INLINE Vector count_negative(Vector v, Vector count) {
    const __mmask16 negative = _mm512_cmp_ps_mask(v, splat(0.0f), _CMP_NGE_UQ);
    return _mm512_mask_add_ps(count, negative, count, splat(1.0f));
}
INLINE Vector masked(Vector v, Vector bits) { return _mm512_and_ps(v, bits); }

INLINE Vector load(const float* p) { return _mm512_loadu_ps(p); }
INLINE void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }

INLINE double sum_of(Vector v) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(v)), high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

INLINE Block load_block(const Float16* p) {
    const __m256i* halves = reinterpret_cast<const __m256i*>(p);
    return {_mm512_cvtph_ps(_mm256_loadu_si256(halves)), _mm512_cvtph_ps(_mm256_loadu_si256(halves + 1))};
}
INLINE void store_block(Float16* p, Block v) {
    __m256i* halves = reinterpret_cast<__m256i*>(p);
    _mm256_storeu_si256(halves, _mm512_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm256_storeu_si256(halves + 1, _mm512_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
}

INLINE Block load_block(const Bfloat16* p) {
    const __m512i bits = _mm512_loadu_si512(p);
    return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000))))};
}
// To the nearest, to even if two are. A NaN would need care if its low bits were set: see `canonical`.
INLINE __m512i rounded(Vector v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
}
INLINE void store_block(Bfloat16* p, Block v) {
    const __m512i low = _mm512_srli_epi32(rounded(v.a), 16);
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaau, low, rounded(v.b)));
}

}  // namespace salu_zoo
