// Eight lanes: AVX2, FMA and F16C.
#pragma once
#include "block.h"

namespace salu_zoo {

INLINE Vector splat(float v) { return _mm256_set1_ps(v); }
INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
INLINE Vector fnma(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(a, b, c); }
// Of two numbers and a NaN, these instructions return the second operand.
INLINE Vector at_most(Vector v, Vector bound) { return _mm256_min_ps(bound, v); }
INLINE Vector at_least(Vector v, Vector bound) { return _mm256_max_ps(bound, v); }

// The estimate is good to 1.5·2⁻¹²: a second-order step ends at 2e-7, a third-order one below rounding.
INLINE Vector inverse_sqrt(Vector v) {
    const Vector r = _mm256_rsqrt_ps(v), e = fnma(v * r, r, splat(1.0f));
    return fma(r * e, fma(splat(0.375f), e, splat(0.5f)), r);
}

// 1/v for v >= 1; exactly 0 at +inf.
INLINE Vector inverse(Vector v) { return splat(1.0f) / v; }

// 2ⁿ for the n in the low bits of each lane, -127 to 128.
INLINE Vector power_of_two(Vector n) {
    const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
}

// `yes` except where v <= 0, so also at NaN.
INLINE Vector unless_nonpositive(Vector v, Vector yes) {
    return _mm256_and_ps(_mm256_cmp_ps(v, splat(0.0f), _CMP_NLE_UQ), yes);
}
// Counts where v is not >= 0, so also NaN.
INLINE Vector count_negative(Vector v, Vector count) {
    return count + _mm256_and_ps(_mm256_cmp_ps(v, splat(0.0f), _CMP_NGE_UQ), splat(1.0f));
}
INLINE Vector masked(Vector v, Vector bits) { return _mm256_and_ps(v, bits); }

INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }

INLINE double sum_of(Vector v) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v)), high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
    const __m256d four = _mm256_add_pd(low, high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

INLINE Block load_block(const Float16* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
INLINE void store_block(Float16* p, Block v) {
    __m128i* halves = reinterpret_cast<__m128i*>(p);
    _mm_storeu_si128(halves, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
}

INLINE Block load_block(const Bfloat16* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(bits, 16)), _mm256_castsi256_ps(_mm256_and_si256(bits, high))};
}
// To the nearest, to even if two are. A NaN would need care if its low bits were set: see `canonical`.
INLINE __m256i rounded(Vector v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
}
INLINE void store_block(Bfloat16* p, Block v) {
    const __m256i low = _mm256_srli_epi32(rounded(v.a), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_blend_epi16(low, rounded(v.b), 0xaa));
}

}  // namespace salu_zoo
