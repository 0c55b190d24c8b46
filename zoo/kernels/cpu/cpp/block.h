// The width of a vector, and two of them as one step of a loop.
#pragma once
#include <cmath>

#include "element.h"

#if defined(__AVX512F__)
#include <immintrin.h>
using Lanes = __m512;
#elif defined(__AVX2__)
#include <immintrin.h>
using Lanes = __m256;
#else
#include <arm_neon.h>
using Lanes = float32x4_t;
#endif

namespace salu_zoo {

using Vector = Lanes;
constexpr int64_t kWidth = sizeof(Vector) / sizeof(float);

// In the order in which elements are cheapest to take apart: for bfloat16 `a` has the even ones and `b` the odd ones.
struct Block {
    Vector a, b;
};
constexpr int64_t kStep = 2 * kWidth;

// Where element i of a block is: in lane i of `a`, or in lane i - kWidth of `b`.
inline int64_t lane_of(const float*, int64_t i) { return i; }
inline int64_t lane_of(const Float16*, int64_t i) { return i; }
inline int64_t lane_of(const Bfloat16*, int64_t i) { return i / 2 + i % 2 * kWidth; }

}  // namespace salu_zoo
