// FleS with a pair of coefficients for each sample and channel, and the mean of the elements >= 0 it is made from.
#include "channelwise.h"
#include "exponential.h"
#include "exported.h"

namespace salu_zoo {
namespace {

// v·σ(h·x)·x
struct FlesForward {
    static constexpr bool kGrad = false, kMask = false, kWrite = true, kSums = false;
    INLINE static Vector of(Vector x, Vector, Vector v, Vector h, Vector*) {
        return x * inverse(exponential(x * -h) + splat(1.0f)) * v;
    }
};

// With σ = σ(h·x): dx = g·v·(σ + h·x·σ·(1 - σ)), and the sums of g·x·σ and of g·x²·σ·(1 - σ).
template <bool kSummed>
struct FlesBackward {
    static constexpr bool kGrad = true, kMask = false, kWrite = true, kSums = kSummed;
    INLINE static Vector of(Vector x, Vector g, Vector v, Vector h, Vector* sums) {
        const Vector e = exponential(x * -h), gate = inverse(e + splat(1.0f)), open = x * gate;
        // 1 - σ = e·σ, which does not cancel; where e is +inf, σ is 0, and the product must be no NaN.
        const Vector bend = open * (at_most(e, splat(0x1p126f)) * gate);
        if (kSums) {
            sums[0] = fma(g, open, sums[0]);
            sums[1] = fma(g * x, bend, sums[1]);
        }
        return g * v * fma(h, bend, gate);
    }
};

// The sum of the positive elements, and the number of negative ones: what a mask or the end of a row left out is 0 here
// and so counts in neither. A NaN makes the sum NaN.
struct PositiveSums {
    static constexpr bool kGrad = false, kMask = true, kWrite = false, kSums = true;
    INLINE static Vector of(Vector x, Vector, Vector, Vector, Vector* sums) {
        sums[0] = sums[0] + at_least(x, none());
        sums[1] = count_negative(x, sums[1]);
        return x;
    }
};

// `share` where x is positive, or NaN.
struct PositiveShares {
    static constexpr bool kGrad = false, kMask = true, kWrite = true, kSums = false;
    INLINE static Vector of(Vector x, Vector, Vector share, Vector, Vector*) { return unless_nonpositive(x, share); }
};

}  // namespace
}  // namespace salu_zoo

using namespace salu_zoo;

EXPORT void salu_zoo_fles(int dtype, const Channelwise* of, int64_t threads, Team team) {
    channelwise<FlesForward>(dtype, *of, {threads, team});
}

EXPORT void salu_zoo_fles_backward(int dtype, const Channelwise* of, int64_t threads, Team team) {
    of->sums ? channelwise<FlesBackward<true>>(dtype, *of, {threads, team})
             : channelwise<FlesBackward<false>>(dtype, *of, {threads, team});
}

EXPORT void salu_zoo_positive_sums(int dtype, const Channelwise* of, int64_t threads, Team team) {
    channelwise<PositiveSums>(dtype, *of, {threads, team});
}

EXPORT void salu_zoo_positive_shares(int dtype, const Channelwise* of, int64_t threads, Team team) {
    channelwise<PositiveShares>(dtype, *of, {threads, team});
}
