// How the elements that do not fill a step of a loop go through the same loop.
#pragma once
#include "vector.h"

namespace salu_zoo {

// A copy of the last elements, filled up with zeros; or room for the results.
template <class T>
struct Tail {
    T elements[kStep];

    Tail(const T* from, int64_t count) : elements{} {
        if (from) std::memcpy(elements, from, static_cast<size_t>(count) * sizeof(T));
    }
    void put(T* to, int64_t count) const {
        if (to) std::memcpy(to, elements, static_cast<size_t>(count) * sizeof(T));
    }
};

// All bits set in the last `count` lanes of a block, in the order of its lanes.
struct Bits {
    uint32_t words[2 * kStep];

    constexpr Bits() : words() {
        for (int64_t i = kStep; i < 2 * kStep; ++i) words[i] = 0xffffffffu;
    }
};
static constexpr Bits kBits;

template <class T>
INLINE Block last_lanes(int64_t count) {
    return load_block(reinterpret_cast<const T*>(kBits.words + kStep) - kStep + count);
}

// p + i, where there is a tensor.
template <class T>
T* at(T* p, int64_t i) {
    return p ? p + i : p;
}

}  // namespace salu_zoo
