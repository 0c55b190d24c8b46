// A table of 256 bytes fits four AVX-512 registers, and AVX512-VBMI picks 64 bytes out of two of them at once.
#include <immintrin.h>

#include "kernels.h"

namespace salu_zoo {

void lookup_vbmi(const uint8_t* x, uint8_t* y, size_t count, const uint8_t* table) {
    const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
    const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
    for (size_t i = 0; i < count; i += 64) {
        const size_t rest = count - i;
        const __mmask64 lanes = rest >= 64 ? ~__mmask64{0} : (__mmask64{1} << rest) - 1;
        const __m512i index = _mm512_maskz_loadu_epi8(lanes, x + i);
        const __m512i lower = _mm512_permutex2var_epi8(t0, index, t1);
        const __m512i upper = _mm512_permutex2var_epi8(t2, index, t3);
        _mm512_mask_storeu_epi8(y + i, lanes, _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), lower, upper));
    }
}

}  // namespace salu_zoo
