// Which kernels run: the best this processor has, or those the environment asks for.
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

const Kernels* avx512() {
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
        return nullptr;
    }
    return __builtin_cpu_supports("avx512vbmi") ? &kAvx512VbmiKernels : &kAvx512Kernels;
}

const Kernels* avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2Kernels : nullptr;
}

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
