// What the kernels compute and how they are called; nothing here knows ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>

namespace salu_zoo {

enum class Formula : int { kSalu, kSwalu, kGalu, kSaluSwalu, kSaluAddSwalu, kFlesGate, kPositiveMean };
constexpr int kPointwise = 5;  // the first five; the others know the channels of x

// SALU at z in the form that cannot overflow: gain·z / sqrt(1 + (scale·z)²), and ±limit where |scale·z| >= kSaturated.
// A gate folds its factor 1/2 into gain and limit, GALU also sqrt(2/pi) into gain and scale.
struct Unit {
    float gain;
    float scale;
    float limit;
    float lowest;  // what a gate takes for -inf: a finite number where S = 1, so that the limit there is 0
};

// From here on z / sqrt(1 + z²) is 1 to within 2⁻²⁷, and below it nothing in the formula can overflow.
constexpr float kSaturated = 8192.0f;

struct Attributes {
    double a[2], b[2];           // of the SALU or the gate, then of the gate behind it
    double scale[3];             // of X, R and Y
    int64_t zero_point[3];
};

// y may be x or r. Results do not depend on where an array is cut: the tail runs the same arithmetic.
using PointwiseKernel = void (*)(const float* x, const float* r, float* y, size_t count, const Unit* units);
// vertical and horizontal: `count` values each (row), or one value each (segment).
using GateKernel = void (*)(const float* x, const float* vertical, const float* horizontal, float* y, size_t count);
// The same for `rows` rows, one behind the other, of `count` columns each.
using GateRowsKernel = void (*)(const float* x, const float* vertical, const float* horizontal, float* y, size_t rows,
                                size_t count);
// Adds the positive elements of x and the number of those >= 0 to one total and one number (segment), or, row by row, to `count` of
// them each (rows), which are `stride` elements apart.
using PositiveSegmentKernel = void (*)(const float* x, size_t count, double* total, double* number);
using PositiveRowsKernel = void (*)(const float* x, size_t rows, size_t stride, size_t count, double* total,
                                    double* number);
using LookupKernel = void (*)(const uint8_t* x, uint8_t* y, size_t count, const uint8_t* table);

struct Kernels {
    const char* name;
    PointwiseKernel pointwise[kPointwise];
    GateKernel gate_row;
    GateKernel gate_segment;
    GateRowsKernel gate_rows;
    PositiveSegmentKernel positive_segment;
    PositiveRowsKernel positive_rows;
    LookupKernel lookup;  // 256 entries
};

// The best kernels for this processor, or those that SALU_ZOO_ISA names; null, with a text, where it cannot.
const Kernels* choose_kernels(const char** problem);

// How many pairs (a, b) a formula has: 0, 1 or 2.
int pairs_of(Formula formula);

// Units from the attributes; a text where they are out of range, else null. `message` has room for `size` bytes.
const char* make_units(Formula formula, const Attributes& attributes, Unit* units, char* message, size_t size);

// Bytes of the table of a uint8 operator: y = saturate(round_half_even(f((x - zx)·sx) / sy) + zy).
size_t table_size(Formula formula);
const char* make_table(Formula formula, const Attributes& attributes, uint8_t* table, char* message, size_t size);

// Index x·256 + r.
void lookup_pairs(const uint8_t* x, const uint8_t* r, uint8_t* y, size_t count, const uint8_t* table);

// x as (n, blocks, outer, channels, inner), with `channels` of each block. There is one block unless x is in a blocked
// layout, such as ONNX Runtime's NCHWc. The step of a coefficient of FlesGate from one sample to the next is 0 where it
// does not depend on the sample.
struct ChannelShape {
    size_t blocks, outer, channels, inner;
    size_t vertical_step, horizontal_step;
};
// FlesGate over the elements [begin, end) of x.
void gate_range(const Kernels& kernels, const ChannelShape& shape, const float* x, const float* vertical,
                const float* horizontal, float* y, size_t begin, size_t end);
// PositiveMean for the channels [begin, end), counted through all samples.
void positive_mean_range(const Kernels& kernels, const ChannelShape& shape, const float* x, float* y, size_t begin,
                         size_t end);

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512VbmiKernels;
void lookup_vbmi(const uint8_t* x, uint8_t* y, size_t count, const uint8_t* table);
#endif
#if defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

}  // namespace salu_zoo
