// The operators on tensors that lie densely: one pass forward, one pass backward.
#include "exported.h"
#include "operators.h"
#include "parallel.h"
#include "room.h"
#include "tail.h"

namespace salu_zoo {
namespace {

// Sums run in float over one chunk, and over the chunks in order in double: the same for any number of threads.
constexpr int64_t kChunk = 4096;

struct Tensors {
    const void *grad, *x, *skip;
    void *y, *dx, *dskip;
    int64_t size;
};

int64_t chunks(int64_t size) { return (size + kChunk - 1) / kChunk; }

template <class Op, class T>
NOINLINE void forward_steps(const Op& shared, const T* x, const T* skip, T* y, int64_t size) {
    const Op op(shared);  // No store can change it, so that it stays in registers.
    for (int64_t i = 0; i < size; i += kStep) {
        const Block v = load_block(x + i), z = Op::kSkip ? load_block(skip + i) : Block{};
        store_block(y + i, {op.forward(v.a, z.a), op.forward(v.b, z.b)});
    }
}

template <class Op, class T>
void forward(const Tensors& of, const float* parameters, double*, Threads threads) {
    const Op op(parameters);
    const T *x = static_cast<const T*>(of.x), *skip = static_cast<const T*>(of.skip);
    T* y = static_cast<T*>(of.y);
    share(chunks(of.size), threads, [&](int64_t first, int64_t last) {
        const int64_t begin = first * kChunk, end = last * kChunk < of.size ? last * kChunk : of.size;
        const int64_t rest = (end - begin) % kStep, whole = end - rest;
        forward_steps(op, x + begin, at(skip, begin), y + begin, whole - begin);
        if (rest) {
            const Tail<T> v(x + whole, rest), z(at(skip, whole), rest);
            Tail<T> out(nullptr, 0);
            forward_steps(op, v.elements, z.elements, out.elements, kStep);
            out.put(y + whole, rest);
        }
    });
}

template <class Op, class T, bool kSums>
NOINLINE void backward_steps(const Op& shared, const T* g, const T* x, const T* skip, T* dx, T* dskip, int64_t size,
                             double* total) {
    const Op op(shared);
    Vector sums[2 * Op::kPairs];
    for (Vector& sum : sums) sum = splat(0.0f);
    for (int64_t i = 0; i < size; i += kStep) {
        const Block grad = load_block(g + i), v = load_block(x + i), z = Op::kSkip ? load_block(skip + i) : Block{};
        const Slopes a = op.template backward<kSums>(grad.a, v.a, z.a, sums);
        const Slopes b = op.template backward<kSums>(grad.b, v.b, z.b, sums);
        if (dx) store_block(dx + i, {a.dx, b.dx});
        if (Op::kSkip && dskip) store_block(dskip + i, {a.dskip, b.dskip});
    }
    for (int k = 0; kSums && k < 2 * Op::kPairs; ++k) total[k] += sum_of(sums[k]);
}

template <class Op, class T, bool kSums>
void backward_chunk(const Op& op, const Tensors& of, int64_t begin, int64_t end, double* total) {
    const T *g = static_cast<const T*>(of.grad), *x = static_cast<const T*>(of.x);
    const T* skip = static_cast<const T*>(of.skip);
    T *dx = static_cast<T*>(of.dx), *dskip = static_cast<T*>(of.dskip);
    const int64_t rest = (end - begin) % kStep, whole = end - rest;
    for (int k = 0; kSums && k < 2 * Op::kPairs; ++k) total[k] = 0.0;
    backward_steps<Op, T, kSums>(op, g + begin, x + begin, at(skip, begin), at(dx, begin), at(dskip, begin),
                                 whole - begin, total);
    if (rest) {
        const Tail<T> grad(g + whole, rest), v(x + whole, rest), z(at(skip, whole), rest);
        Tail<T> out(nullptr, 0), other(nullptr, 0);
        backward_steps<Op, T, kSums>(op, grad.elements, v.elements, z.elements, out.elements, other.elements, kStep,
                                     total);
        out.put(at(dx, whole), rest);
        other.put(at(dskip, whole), rest);
    }
}

template <class Op, class T>
void backward(const Tensors& of, const float* parameters, double* gradients, Threads threads) {
    const Op op(parameters);
    constexpr int64_t kSums = 2 * Op::kPairs;
    const int64_t count = chunks(of.size);
    const Room<double> partial(gradients ? count * kSums : 0);
    share(count, threads, [&](int64_t first, int64_t last) {
        for (int64_t k = first; k < last; ++k) {
            const int64_t end = (k + 1) * kChunk < of.size ? (k + 1) * kChunk : of.size;
            if (gradients) {
                backward_chunk<Op, T, true>(op, of, k * kChunk, end, partial.get() + k * kSums);
            } else {
                backward_chunk<Op, T, false>(op, of, k * kChunk, end, nullptr);
            }
        }
    });
    if (!gradients) return;
    double sums[kSums] = {};
    for (int64_t k = 0; k < count; ++k) {
        for (int64_t i = 0; i < kSums; ++i) sums[i] += partial[k * kSums + i];
    }
    op.gradients(sums, gradients);
}

using Pass = void (*)(const Tensors&, const float*, double*, Threads);

template <class Op>
Pass pass(bool back, int dtype) {
    static constexpr Pass kForward[] = {forward<Op, float>, forward<Op, Bfloat16>, forward<Op, Float16>};
    static constexpr Pass kBackward[] = {backward<Op, float>, backward<Op, Bfloat16>, backward<Op, Float16>};
    return back ? kBackward[dtype] : kForward[dtype];
}

Pass pass(int op, bool back, int dtype) {
    switch (op) {
        case 0: return pass<Salu>(back, dtype);
        case 1: return pass<Swalu>(back, dtype);
        case 2: return pass<Galu>(back, dtype);
        case 3: return pass<SaluSwalu>(back, dtype);
        case 4: return pass<SaluAddSwalu>(back, dtype);
        default: return pass<SaluAddSaluSwalu>(back, dtype);
    }
}

}  // namespace
}  // namespace salu_zoo

using namespace salu_zoo;

EXPORT void salu_zoo_forward(int op, int dtype, const void* x, const void* skip, void* y, int64_t size,
                             const float* parameters, int64_t threads, Team team) {
    pass(op, false, dtype)({nullptr, x, skip, y, nullptr, nullptr, size}, parameters, nullptr, {threads, team});
}

// A gradient that is not wanted is null; `gradients` holds one for each parameter.
EXPORT void salu_zoo_backward(int op, int dtype, const void* grad, const void* x, const void* skip, void* dx,
                              void* dskip, int64_t size, const float* parameters, double* gradients, int64_t threads,
                              Team team) {
    pass(op, true, dtype)({grad, x, skip, nullptr, dx, dskip, size}, parameters, gradients, {threads, team});
}
