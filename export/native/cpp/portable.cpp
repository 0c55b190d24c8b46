// One element at a time, in plain C++: for any processor, and simple enough for the compiler to vectorise.
#include <cmath>
#include <cstring>

#include "kernels_impl.h"

namespace salu_zoo {
namespace {

struct Scalar {
    static constexpr size_t kWidth = 1;
    float value;

    static Scalar set(float v) { return {v}; }
    static Scalar load(const float* p) { return {*p}; }
    static Scalar load_part(const float* p, size_t) { return {*p}; }
    static void store(float* p, Scalar v) { *p = v.value; }
    static void store_part(float* p, size_t, Scalar v) { *p = v.value; }
    // Two roundings: std::fma is a slow call where the processor has no such instruction.
    static Scalar fma(Scalar a, Scalar b, Scalar c) { return {a.value * b.value + c.value}; }
    static Scalar abs(Scalar v) { return {std::fabs(v.value)}; }
    static Scalar copysign(Scalar size, Scalar sign) { return {std::copysign(size.value, sign.value)}; }
    static Scalar where_ge(Scalar a, Scalar b, Scalar yes, Scalar no) { return a.value >= b.value ? yes : no; }
    static Scalar inverse_sqrt(Scalar v) { return {1.0f / std::sqrt(v.value)}; }
    static Scalar power_of_two(Scalar shifted, uint32_t bias) {
        uint32_t bits;
        std::memcpy(&bits, &shifted.value, sizeof bits);
        bits = (bits + 127 + bias) << 23;
        float power;
        std::memcpy(&power, &bits, sizeof power);
        return {power};
    }
};

inline Scalar operator+(Scalar a, Scalar b) { return {a.value + b.value}; }
inline Scalar operator-(Scalar a, Scalar b) { return {a.value - b.value}; }
inline Scalar operator*(Scalar a, Scalar b) { return {a.value * b.value}; }
inline Scalar operator/(Scalar a, Scalar b) { return {a.value / b.value}; }

}  // namespace

const Kernels kPortableKernels = kernels_of<Scalar>("portable", lookup_bytes);

}  // namespace salu_zoo
