// Sixteen elements at a time: AVX-512 F, BW, DQ and VL.
#include <immintrin.h>

#include "kernels_impl.h"

namespace salu_zoo {
namespace {

struct Avx512 {
    static constexpr size_t kWidth = 16;
    __m512 value;

    static Avx512 set(float v) { return {_mm512_set1_ps(v)}; }
    static Avx512 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static Avx512 load_part(const float* p, size_t count) { return {_mm512_maskz_loadu_ps(mask(count), p)}; }
    static void store(float* p, Avx512 v) { _mm512_storeu_ps(p, v.value); }
    static void store_part(float* p, size_t count, Avx512 v) { _mm512_mask_storeu_ps(p, mask(count), v.value); }
    static Avx512 fma(Avx512 a, Avx512 b, Avx512 c) { return {_mm512_fmadd_ps(a.value, b.value, c.value)}; }
    static Avx512 abs(Avx512 v) { return {_mm512_abs_ps(v.value)}; }
    static Avx512 copysign(Avx512 size, Avx512 sign) {
        return {_mm512_or_ps(size.value, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.value))};  // size is positive
    }
    static Avx512 where_ge(Avx512 a, Avx512 b, Avx512 yes, Avx512 no) {
        return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.value, b.value, _CMP_GE_OQ), no.value, yes.value)};
    }
    // The estimate is good to 2⁻¹⁴: one second-order step ends below rounding.
    static Avx512 inverse_sqrt(Avx512 v) {
        const __m512 r = _mm512_rsqrt14_ps(v.value);
        const __m512 e = _mm512_fnmadd_ps(_mm512_mul_ps(v.value, r), r, _mm512_set1_ps(1.0f));
        return {_mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps(0.5f), r), e, r)};
    }
    static Avx512 power_of_two(Avx512 shifted, int bias) {
        const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(shifted.value), _mm512_set1_epi32(127 + bias));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 23))};
    }

    static __mmask16 mask(size_t count) { return static_cast<__mmask16>((1u << count) - 1u); }
};

inline Avx512 operator+(Avx512 a, Avx512 b) { return {_mm512_add_ps(a.value, b.value)}; }
inline Avx512 operator-(Avx512 a, Avx512 b) { return {_mm512_sub_ps(a.value, b.value)}; }
inline Avx512 operator*(Avx512 a, Avx512 b) { return {_mm512_mul_ps(a.value, b.value)}; }
inline Avx512 operator/(Avx512 a, Avx512 b) { return {_mm512_div_ps(a.value, b.value)}; }

}  // namespace

const Kernels kAvx512Kernels = kernels_of<Avx512>("avx512", lookup_bytes);
const Kernels kAvx512VbmiKernels = kernels_of<Avx512>("avx512", lookup_vbmi);

}  // namespace salu_zoo
