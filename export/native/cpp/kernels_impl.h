// The loops over arrays. Each instruction set includes this in a translation unit of its own.
#pragma once

#include "formulas.h"

namespace salu_zoo {
namespace {

template <class V, template <class> class F>
void one_input(const float* x, const float*, float* y, size_t count, const Unit* units) {
    const F<V> f(units);
    size_t i = 0;
    for (; i + V::kWidth <= count; i += V::kWidth) V::store(y + i, f(V::load(x + i)));
    if (i < count) V::store_part(y + i, count - i, f(V::load_part(x + i, count - i)));
}

template <class V, template <class> class F>
void two_inputs(const float* x, const float* r, float* y, size_t count, const Unit* units) {
    const F<V> f(units);
    size_t i = 0;
    for (; i + V::kWidth <= count; i += V::kWidth) V::store(y + i, f(V::load(x + i), V::load(r + i)));
    if (i < count) {
        const size_t rest = count - i;
        V::store_part(y + i, rest, f(V::load_part(x + i, rest), V::load_part(r + i, rest)));
    }
}

template <class V>
void gate_row(const float* x, const float* vertical, const float* horizontal, float* y, size_t count) {
    size_t i = 0;
    for (; i + V::kWidth <= count; i += V::kWidth) {
        V::store(y + i, fles_gate(V::load(x + i), V::load(vertical + i), V::load(horizontal + i)));
    }
    if (i < count) {
        const size_t rest = count - i;
        V::store_part(y + i, rest,
                      fles_gate(V::load_part(x + i, rest), V::load_part(vertical + i, rest),
                                V::load_part(horizontal + i, rest)));
    }
}

template <class V>
void gate_segment(const float* x, const float* vertical, const float* horizontal, float* y, size_t count) {
    const V v = V::set(*vertical), h = V::set(*horizontal);
    size_t i = 0;
    for (; i + V::kWidth <= count; i += V::kWidth) V::store(y + i, fles_gate(V::load(x + i), v, h));
    if (i < count) V::store_part(y + i, count - i, fles_gate(V::load_part(x + i, count - i), v, h));
}

inline void lookup_bytes(const uint8_t* x, uint8_t* y, size_t count, const uint8_t* table) {
    for (size_t i = 0; i < count; ++i) y[i] = table[x[i]];
}

template <class V>
constexpr Kernels kernels_of(const char* name, LookupKernel lookup) {
    return {name,
            {one_input<V, SaluOf>, one_input<V, SwaluOf>, one_input<V, GaluOf>, one_input<V, SaluSwaluOf>,
             two_inputs<V, SaluAddSwaluOf>},
            gate_row<V>,
            gate_segment<V>,
            lookup};
}

}  // namespace
}  // namespace salu_zoo
