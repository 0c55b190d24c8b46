// A vector of floats, as wide as the processor has them: the only place where one processor differs from another.
#pragma once
#include "block.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "vector_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "vector_avx2.h"
#elif defined(__aarch64__)
#include "vector_neon.h"
#else
#error "No vectors for this processor."
#endif

namespace salu_zoo {

INLINE Block load_block(const float* p) { return {load(p), load(p + kWidth)}; }
INLINE void store_block(float* p, Block v) {
    store(p, v.a);
    store(p + kWidth, v.b);
}

INLINE Vector none() { return splat(0.0f); }
INLINE Vector clamped(Vector v, Vector bound) { return at_most(at_least(v, -bound), bound); }

}  // namespace salu_zoo
