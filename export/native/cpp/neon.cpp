// Four elements at a time: the vector unit every 64-bit ARM processor has.
#include <arm_neon.h>

#include <cstring>

#include "kernels_impl.h"

namespace salu_zoo {
namespace {

struct Neon {
    static constexpr size_t kWidth = 4;
    float32x4_t value;

    static Neon set(float v) { return {vdupq_n_f32(v)}; }
    static Neon load(const float* p) { return {vld1q_f32(p)}; }
    static Neon load_part(const float* p, size_t count) {
        float lanes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        std::memcpy(lanes, p, count * sizeof(float));
        return load(lanes);
    }
    static void store(float* p, Neon v) { vst1q_f32(p, v.value); }
    static void store_part(float* p, size_t count, Neon v) {
        float lanes[4];
        store(lanes, v);
        std::memcpy(p, lanes, count * sizeof(float));
    }
    static Neon fma(Neon a, Neon b, Neon c) { return {vfmaq_f32(c.value, a.value, b.value)}; }
    static Neon abs(Neon v) { return {vabsq_f32(v.value)}; }
    static Neon copysign(Neon size, Neon sign) {
        return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.value, size.value)};
    }
    static Neon where_ge(Neon a, Neon b, Neon yes, Neon no) {
        return {vbslq_f32(vcgeq_f32(a.value, b.value), yes.value, no.value)};
    }
    // The estimate is good to 2⁻⁸: two second-order steps end below rounding.
    static Neon inverse_sqrt(Neon v) { return refined(v, refined(v, {vrsqrteq_f32(v.value)})); }
    static Neon power_of_two(Neon shifted, uint32_t bias) {
        const uint32x4_t bits = vaddq_u32(vreinterpretq_u32_f32(shifted.value), vdupq_n_u32(127 + bias));
        return {vreinterpretq_f32_u32(vshlq_n_u32(bits, 23))};
    }

    static Neon refined(Neon v, Neon r) {
        const float32x4_t e = vfmsq_f32(vdupq_n_f32(1.0f), vmulq_f32(v.value, r.value), r.value);
        return {vfmaq_f32(r.value, vmulq_n_f32(r.value, 0.5f), e)};
    }
};

inline Neon operator+(Neon a, Neon b) { return {vaddq_f32(a.value, b.value)}; }
inline Neon operator-(Neon a, Neon b) { return {vsubq_f32(a.value, b.value)}; }
inline Neon operator*(Neon a, Neon b) { return {vmulq_f32(a.value, b.value)}; }
inline Neon operator/(Neon a, Neon b) { return {vdivq_f32(a.value, b.value)}; }

// Four lookups in a quarter of the table each; an index outside a quarter leaves the lane as it is.
void lookup_neon(const uint8_t* x, uint8_t* y, size_t count, const uint8_t* table) {
    const uint8x16x4_t quarters[4] = {vld1q_u8_x4(table), vld1q_u8_x4(table + 64), vld1q_u8_x4(table + 128),
                                      vld1q_u8_x4(table + 192)};
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t index = vld1q_u8(x + i);
        uint8x16_t found = vqtbl4q_u8(quarters[0], index);
        found = vqtbx4q_u8(found, quarters[1], vsubq_u8(index, vdupq_n_u8(64)));
        found = vqtbx4q_u8(found, quarters[2], vsubq_u8(index, vdupq_n_u8(128)));
        found = vqtbx4q_u8(found, quarters[3], vsubq_u8(index, vdupq_n_u8(192)));
        vst1q_u8(y + i, found);
    }
    lookup_bytes(x + i, y + i, count - i, table);
}

}  // namespace

const Kernels kNeonKernels = kernels_of<Neon>("neon", lookup_neon);

}  // namespace salu_zoo
