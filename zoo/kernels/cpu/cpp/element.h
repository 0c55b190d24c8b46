// What a tensor holds: float, or one of two 16-bit formats that only loads and stores know.
#pragma once
#include <cstdint>
#include <cstring>

// Compilers judge the size of a kernel before they see what is left of it.
#define INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

namespace salu_zoo {

struct Bfloat16 {
    uint16_t bits;
};

struct Float16 {
    uint16_t bits;
};

}  // namespace salu_zoo
