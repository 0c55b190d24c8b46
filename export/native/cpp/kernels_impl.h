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
void gate_rows(const float* x, const float* vertical, const float* horizontal, float* y, size_t rows, size_t count) {
    for (size_t column = 0; column < count; column += V::kWidth) {
        const size_t rest = count - column;
        const bool part = rest < V::kWidth;
        const V v = part ? V::load_part(vertical + column, rest) : V::load(vertical + column);
        const V h = part ? V::load_part(horizontal + column, rest) : V::load(horizontal + column);
        for (size_t i = column; i < rows * count; i += count) {
            if (part) {
                V::store_part(y + i, rest, fles_gate(V::load_part(x + i, rest), v, h));
            } else {
                V::store(y + i, fles_gate(V::load(x + i), v, h));
            }
        }
    }
}

template <class V>
void gate_segment(const float* x, const float* vertical, const float* horizontal, float* y, size_t count) {
    const V v = V::set(*vertical), h = V::set(*horizontal);
    size_t i = 0;
    for (; i + V::kWidth <= count; i += V::kWidth) V::store(y + i, fles_gate(V::load(x + i), v, h));
    if (i < count) V::store_part(y + i, count - i, fles_gate(V::load_part(x + i, count - i), v, h));
}

template <class V>
void add_positive(V x, V* total, V* number) {
    const V zero = V::set(0.0f);
    *total = *total + V::where_ge(zero, x, zero, x);
    *number = *number + V::where_ge(x, zero, V::set(1.0f), zero);
}

// Sums run in float over this many additions, and from there on in double.
constexpr size_t kSteps = 32;
constexpr size_t kSideBySide = 4;

template <class V>
void positive_segment(const float* x, size_t count, double* total, double* number) {
    float lanes[V::kWidth];
    size_t i = 0;
    while (i < count) {
        V sums[kSideBySide], numbers[kSideBySide];
        for (size_t k = 0; k < kSideBySide; ++k) sums[k] = numbers[k] = V::set(0.0f);
        for (size_t step = 0; step < kSteps && i < count; ++step) {
            for (size_t k = 0; k < kSideBySide && i < count; ++k, i += V::kWidth) {
                const size_t rest = count - i;
                add_positive(rest < V::kWidth ? V::load_part(x + i, rest) : V::load(x + i), &sums[k], &numbers[k]);
            }
        }
        for (size_t k = 0; k < kSideBySide; ++k) {
            V::store(lanes, sums[k]);
            for (const float lane : lanes) *total += static_cast<double>(lane);
            V::store(lanes, numbers[k]);
            for (const float lane : lanes) *number += static_cast<double>(lane);
        }
    }
    *number -= static_cast<double>(i - count);  // what the last vector had beyond the end was 0, which counts
}

template <class V>
void flush(const V* sums, size_t vectors, size_t count, double* to) {
    float lanes[V::kWidth];
    for (size_t k = 0; k < vectors; ++k) {
        const size_t rest = count - k * V::kWidth, width = rest < V::kWidth ? rest : V::kWidth;
        V::store(lanes, sums[k]);
        for (size_t lane = 0; lane < width; ++lane) to[k * V::kWidth + lane] += static_cast<double>(lanes[lane]);
    }
}

// One vector of columns, or less, through all rows, some of which are on their way at a time.
template <class V>
void positive_column(const float* x, size_t rows, size_t stride, size_t count, double* total, double* number) {
    for (size_t row = 0; row < rows;) {
        V sums[kSideBySide], numbers[kSideBySide];
        for (size_t k = 0; k < kSideBySide; ++k) sums[k] = numbers[k] = V::set(0.0f);
        for (size_t step = 0; step < kSteps && row < rows; ++step) {
            for (size_t k = 0; k < kSideBySide && row < rows; ++k, ++row) {
                const float* from = x + row * stride;
                add_positive(count < V::kWidth ? V::load_part(from, count) : V::load(from), &sums[k], &numbers[k]);
            }
        }
        for (size_t k = 0; k < kSideBySide; ++k) {
            flush(&sums[k], 1, count, total);
            flush(&numbers[k], 1, count, number);
        }
    }
}

// Up to kSideBySide vectors of columns, through all rows.
template <class V>
void positive_columns(const float* x, size_t rows, size_t stride, size_t count, double* total, double* number) {
    const size_t vectors = (count + V::kWidth - 1) / V::kWidth, tail = count - (vectors - 1) * V::kWidth;
    for (size_t row = 0; row < rows;) {
        V sums[kSideBySide], numbers[kSideBySide];
        for (size_t k = 0; k < kSideBySide; ++k) sums[k] = numbers[k] = V::set(0.0f);
        for (size_t step = 0; step < kSteps && row < rows; ++step, ++row) {
            const float* from = x + row * stride;
            for (size_t k = 0; k < vectors; ++k, from += V::kWidth) {
                const bool part = k + 1 == vectors && tail < V::kWidth;
                add_positive(part ? V::load_part(from, tail) : V::load(from), &sums[k], &numbers[k]);
            }
        }
        flush(sums, vectors, count, total);
        flush(numbers, vectors, count, number);
    }
}

template <class V>
void positive_rows(const float* x, size_t rows, size_t stride, size_t count, double* total, double* number) {
    constexpr size_t kColumns = kSideBySide * V::kWidth;
    for (size_t column = 0; column < count; column += kColumns) {
        const size_t rest = count - column;
        const auto kernel = rest <= V::kWidth ? positive_column<V> : positive_columns<V>;
        kernel(x + column, rows, stride, rest < kColumns ? rest : kColumns, total + column, number + column);
    }
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
            gate_rows<V>,
            positive_segment<V>,
            positive_rows<V>,
            lookup};
}

}  // namespace
}  // namespace salu_zoo
