// Eight elements at a time: AVX2 and FMA.
#include <immintrin.h>

#include "kernels_impl.h"

namespace salu_zoo {
namespace {

struct Avx2 {
    static constexpr size_t kWidth = 8;
    __m256 value;

    static Avx2 set(float v) { return {_mm256_set1_ps(v)}; }
    static Avx2 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static Avx2 load_part(const float* p, size_t count) { return {_mm256_maskload_ps(p, mask(count))}; }
    static void store(float* p, Avx2 v) { _mm256_storeu_ps(p, v.value); }
    static void store_part(float* p, size_t count, Avx2 v) { _mm256_maskstore_ps(p, mask(count), v.value); }
    static Avx2 fma(Avx2 a, Avx2 b, Avx2 c) { return {_mm256_fmadd_ps(a.value, b.value, c.value)}; }
    static Avx2 abs(Avx2 v) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), v.value)}; }
    static Avx2 copysign(Avx2 size, Avx2 sign) {
        return {_mm256_or_ps(size.value, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign.value))};  // size is positive
    }
    static Avx2 where_ge(Avx2 a, Avx2 b, Avx2 yes, Avx2 no) {
        return {_mm256_blendv_ps(no.value, yes.value, _mm256_cmp_ps(a.value, b.value, _CMP_GE_OQ))};
    }
    // The estimate is good to 1.5·2⁻¹²: a second-order step ends at 2e-7, a third-order one below rounding.
    static Avx2 inverse_sqrt(Avx2 v) {
        const __m256 r = _mm256_rsqrt_ps(v.value);
        const __m256 e = _mm256_fnmadd_ps(_mm256_mul_ps(v.value, r), r, _mm256_set1_ps(1.0f));
        const __m256 half = _mm256_fmadd_ps(_mm256_set1_ps(0.375f), e, _mm256_set1_ps(0.5f));
        return {_mm256_fmadd_ps(_mm256_mul_ps(r, e), half, r)};
    }
    static Avx2 power_of_two(Avx2 shifted, int bias) {
        const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(shifted.value), _mm256_set1_epi32(127 + bias));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(bits, 23))};
    }

    static __m256i mask(size_t count) {
        const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
    }
};

inline Avx2 operator+(Avx2 a, Avx2 b) { return {_mm256_add_ps(a.value, b.value)}; }
inline Avx2 operator-(Avx2 a, Avx2 b) { return {_mm256_sub_ps(a.value, b.value)}; }
inline Avx2 operator*(Avx2 a, Avx2 b) { return {_mm256_mul_ps(a.value, b.value)}; }
inline Avx2 operator/(Avx2 a, Avx2 b) { return {_mm256_div_ps(a.value, b.value)}; }

}  // namespace

const Kernels kAvx2Kernels = kernels_of<Avx2>("avx2", lookup_bytes);

}  // namespace salu_zoo
