// Which kernels run: the best this processor has, or those the environment asks for.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace salu_zoo {
namespace {

// Widest first. An entry the processor lacks is null; the last one every processor has.
struct Candidates {
    const char* name;
    const Kernels* kernels;
};

#if defined(__x86_64__)

// Asked of the processor itself: __builtin_cpu_supports is answered by a library of the compiler's, and zig's says no.
struct Processor {
    unsigned basic = 0, extended = 0, more = 0;  // ecx of leaf 1, ebx and ecx of leaf 7
    unsigned kept = 0;                           // the registers that the system keeps: XCR0

    Processor() {
        unsigned a = 0, b = 0, c = 0, d = 0;
        if (!__get_cpuid(1, &a, &b, &basic, &d)) return;
        if (basic >> 27 & 1) __asm__("xgetbv" : "=a"(kept), "=d"(d) : "c"(0));
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) extended = b, more = c;
    }
    bool avx2() const { return (kept & 0x6) == 0x6 && (basic >> 28 & 1) && (basic >> 12 & 1) && (extended >> 5 & 1); }
    bool avx512() const {  // F, DQ, BW, VL
        constexpr unsigned wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
        return avx2() && (kept & 0xe6) == 0xe6 && (extended & wanted) == wanted;
    }
    bool vbmi() const { return more >> 1 & 1; }
};

const Kernels* avx512() {
    const Processor here;
    return !here.avx512() ? nullptr : here.vbmi() ? &kAvx512VbmiKernels : &kAvx512Kernels;
}

const Kernels* avx2() { return Processor().avx2() ? &kAvx2Kernels : nullptr; }

#endif

}  // namespace

const Kernels* choose_kernels(const char** problem) {
#if defined(__x86_64__)
    const Candidates candidates[] = {{"avx512", avx512()}, {"avx2", avx2()}, {"portable", &kPortableKernels}};
    constexpr const char* known = "SALU_ZOO_ISA: this processor offers other sets of instructions. Known: portable, "
                                  "avx2, avx512, where the processor has them. Unset it for the best of them.";
#elif defined(__aarch64__)
    const Candidates candidates[] = {{"neon", &kNeonKernels}, {"portable", &kPortableKernels}};
    constexpr const char* known = "SALU_ZOO_ISA: known on this processor are portable and neon. Unset it for the best.";
#else
    const Candidates candidates[] = {{"portable", &kPortableKernels}};
    constexpr const char* known = "SALU_ZOO_ISA: only portable is known on this processor. Unset it.";
#endif
    const char* wanted = std::getenv("SALU_ZOO_ISA");
    const bool any = wanted == nullptr || *wanted == '\0';
    for (const Candidates& candidate : candidates) {
        if (candidate.kernels != nullptr && (any || std::strcmp(wanted, candidate.name) == 0)) return candidate.kernels;
    }
    *problem = known;
    return nullptr;
}

}  // namespace salu_zoo
