// One pass over a tensor whose coefficients belong to a sample and a channel, and whose sums do.
//
// An Op computes one vector of elements: out = op(x, grad, p, q, sums), where sums[0] and sums[1] grow. Two layouts go
// without a copy: rows, in which the positions of a channel lie side by side, and columns, in which the channels do.
#pragma once
#include "parallel.h"
#include "room.h"
#include "tail.h"

namespace salu_zoo {

// Null where the operator does not read or write it. p and q are (samples, channels); so is each of the two sums.
struct Channelwise {
    const void *x, *grad, *mask;
    void* out;
    const float *p, *q;
    double* sums;
    int64_t samples, channels, positions;
    int64_t sample_stride, channel_stride, position_stride;
};

// Sums run in float over one piece of this size, then in double over the pieces in order, for any number of threads.
constexpr int64_t kPiece = 4096, kRows = 256, kGroup = 8;

inline int64_t pieces(int64_t size, int64_t each) { return (size + each - 1) / each; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

template <class T>
struct Pointers {
    const T *x, *grad, *mask;
    T* out;

    Pointers moved(int64_t by, int64_t mask_by) const {
        return {x + by, at(grad, by), at(mask, mask_by), at(out, by)};
    }
};

// One step, of which the last `fresh` elements count in the sums: another step has the others too.
template <class Op, class T>
INLINE void step(const Pointers<T>& to, int64_t i, Block x, const Block& p, const Block& q, int64_t fresh, Vector* a,
                 Vector* b) {
    Block g = Op::kGrad ? load_block(to.grad + i) : Block{none(), none()};
    if (Op::kSums && fresh < kStep) {
        const Block bits = last_lanes<T>(fresh);
        Block& weight = Op::kGrad ? g : x;
        weight = {masked(weight.a, bits.a), masked(weight.b, bits.b)};
    }
    const Block out = {Op::of(x.a, g.a, p.a, q.a, a), Op::of(x.b, g.b, p.b, q.b, b)};
    if (Op::kWrite && (!Op::kGrad || to.out)) store_block(to.out + i, out);
}

template <class Op, class T>
INLINE void along_row(const Pointers<T>& to, float p, float q, int64_t size, double* total) {
    const Block vp{splat(p), splat(p)}, vq{splat(q), splat(q)};
    Vector a[2] = {none(), none()}, b[2] = {none(), none()};
    // The last step first if the row does not end with a whole one: what it writes in vain, the others write again.
    const int64_t rest = size % kStep;
    for (int64_t k = rest ? -kStep : 0; k + kStep <= size; k += kStep) {
        const int64_t i = k < 0 ? size - kStep : k;
        Block x = load_block(to.x + i);
        if (Op::kMask && to.mask) {
            const Block bits = load_block(to.mask + i);
            x = {masked(x.a, bits.a), masked(x.b, bits.b)};
        }
        step<Op>(to, i, x, vp, vq, k < 0 ? rest : kStep, a, b);
    }
    for (int k = 0; Op::kSums && k < 2; ++k) total[k] = sum_of(a[k] + b[k]);
}

template <class Op, class T>
NOINLINE void short_row(const Pointers<T>& to, float p, float q, int64_t size, double* total) {
    const Tail<T> x(to.x, size), grad(to.grad, size), mask(to.mask, size);
    Tail<T> out(nullptr, 0);
    along_row<Op, T>({x.elements, grad.elements, to.mask ? mask.elements : nullptr, out.elements}, p, q, kStep, total);
    if (Op::kWrite) out.put(to.out, size);
}

// The pieces of rows from `first` on, `each` to a row.
template <class Op, class T>
NOINLINE void pieces_of_rows(const Channelwise& of, const Pointers<T>& all, int64_t first, int64_t last, int64_t each,
                             double* partial) {
    int64_t row = first / each, begin = first % each * kPiece, n = row / of.channels, c = row % of.channels;
    for (int64_t i = first; i < last; ++i) {
        const auto here = all.moved(n * of.sample_stride + c * of.channel_stride + begin, n * of.positions + begin);
        const float p = of.p ? of.p[row] : 0.0f, q = of.q ? of.q[row] : 0.0f;
        const int64_t size = smaller(kPiece, of.positions - begin);
        if (size < kStep) {
            short_row<Op, T>(here, p, q, size, partial + 2 * i);
        } else {
            along_row<Op, T>(here, p, q, size, partial + 2 * i);
        }
        begin += kPiece;
        if (begin < of.positions) continue;
        begin = 0;
        ++row;
        if (++c == of.channels) {
            c = 0;
            ++n;
        }
    }
}

template <class Op, class T>
void rows(const Channelwise& of, const Pointers<T>& all, Threads threads) {
    const int64_t each = pieces(of.positions, kPiece), count = of.samples * of.channels;
    const Room<double> partial(Op::kSums ? 2 * each * count : 0);
    share(count * each, threads, [&](int64_t first, int64_t last) {
        pieces_of_rows<Op, T>(of, all, first, last, each, partial.get());
    });
    for (int64_t i = 0; Op::kSums && i < count; ++i) {
        double total[2] = {0.0, 0.0};
        for (int64_t k = 2 * i * each; k < 2 * (i + 1) * each; k += 2) {
            total[0] += partial[k];
            total[1] += partial[k + 1];
        }
        of.sums[i] = total[0];
        of.sums[count + i] = total[1];
    }
}

// All channels of up to kGroup positions, with p, q and the sums in the order of `Columns`.
template <class Op, class T>
NOINLINE void down_columns(const Pointers<T> to, const float* p, const float* q, float* sums, int64_t apart,
                           int64_t channels, int64_t count, int64_t stride) {
    const int64_t rest = channels % kStep;  // As in `along_row`.
    for (int64_t k = rest ? -kStep : 0; k + kStep <= channels; k += kStep) {
        const int64_t c = k < 0 ? channels - kStep : k, lane = k < 0 ? channels - rest : k;
        const Block vp{load(p + lane), load(p + lane + kWidth)}, vq{load(q + lane), load(q + lane + kWidth)};
        Vector a[2] = {none(), none()}, b[2] = {none(), none()};
        for (int64_t row = 0; row < count; ++row) {
            const int64_t i = row * stride + c;
            const bool skip = Op::kMask && to.mask && !*reinterpret_cast<const char*>(to.mask + row);
            step<Op>(to, i, skip ? Block{none(), none()} : load_block(to.x + i), vp, vq, k < 0 ? rest : kStep, a, b);
        }
        for (int s = 0; Op::kSums && s < 2; ++s) {
            float* sum = sums + s * apart + lane;
            store(sum, load(sum) + a[s]);
            store(sum + kWidth, load(sum + kWidth) + b[s]);
        }
    }
}

template <class Op, class T>
void group_of_rows(const Pointers<T>& to, const float* p, const float* q, float* sums, int64_t apart, int64_t channels,
                   int64_t count, int64_t stride) {
    if (channels >= kStep) return down_columns<Op, T>(to, p, q, sums, apart, channels, count, stride);
    for (int64_t row = 0; row < count; ++row) {
        const Pointers<T> end = to.moved(row * stride, row);
        const Tail<T> x(end.x, channels), grad(end.grad, channels);
        Tail<T> out(nullptr, 0);
        down_columns<Op, T>({x.elements, grad.elements, end.mask, out.elements}, p, q, sums, apart, kStep, 1, 0);
        if (Op::kWrite) out.put(end.out, channels);
    }
}

// Where p, q and the sums of a channel are: in blocks of kStep lanes, of which the last holds the last kStep channels.
template <class T>
struct Columns {
    int64_t channels;

    static int64_t within(int64_t i) { return lane_of(static_cast<const T*>(nullptr), i); }
    int64_t width() const { return pieces(channels, kStep) * kStep; }
    int64_t start(int64_t block) const { return channels < kStep ? 0 : smaller(block, channels - kStep); }
    int64_t lane(int64_t channel) const {
        const int64_t block = channel / kStep * kStep;
        return block + within(channel - start(block));
    }
    void spread(const float* from, float* to) const {
        for (int64_t block = 0; from && block < channels; block += kStep) {
            const int64_t count = smaller(kStep, channels);
            for (int64_t i = 0; i < count; ++i) to[block + within(i)] = from[start(block) + i];
        }
    }
};

template <class Op, class T>
void columns(const Channelwise& of, const Pointers<T>& all, Threads threads) {
    const Columns<T> places{of.channels};
    const int64_t width = places.width(), each = pieces(of.positions, kRows);
    const int64_t tables = 2 * of.samples * width, tasks = of.samples * each;
    const Room<float> table(tables), partial(Op::kSums ? 2 * tasks * width : 2);
    float *p = table.get(), *q = p + of.samples * width;
    for (int64_t n = 0; n < of.samples; ++n) {
        places.spread(at(of.p, n * of.channels), p + n * width);
        places.spread(at(of.q, n * of.channels), q + n * width);
    }
    share(tasks, threads, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const int64_t n = i / each, begin = i % each * kRows, end = smaller(begin + kRows, of.positions);
            float* sums = partial.get() + (Op::kSums ? 2 * i * width : 0);
            for (int64_t row = begin; row < end; row += kGroup) {
                const auto here = all.moved(n * of.sample_stride + row * of.position_stride, n * of.positions + row);
                group_of_rows<Op, T>(here, p + n * width, q + n * width, sums, width, of.channels,
                                     smaller(kGroup, end - row), of.position_stride);
            }
        }
    });
    for (int64_t i = 0; Op::kSums && i < 2 * of.samples * of.channels; ++i) {
        const int64_t which = i / (of.samples * of.channels), row = i % (of.samples * of.channels);
        const float* from = partial.get() + (2 * (row / of.channels) * each + which) * width + places.lane(row % of.channels);
        double total = 0.0;
        for (int64_t k = 0; k < each; ++k) total += static_cast<double>(from[2 * k * width]);
        of.sums[i] = total;
    }
}

template <class Op, class T>
void channelwise(const Channelwise& of, Threads threads) {
    const Pointers<T> all{static_cast<const T*>(of.x), static_cast<const T*>(of.grad), static_cast<const T*>(of.mask),
                          static_cast<T*>(of.out)};
    const bool inside = of.channels > 1 && of.channel_stride == 1 && of.position_stride != 1;
    (inside || (of.channels > 1 && of.channel_stride == 1 && of.positions == 1) ? columns<Op, T> : rows<Op, T>)(
        of, all, threads);
}

template <class Op>
void channelwise(int dtype, const Channelwise& of, Threads threads) {
    (dtype == 0   ? channelwise<Op, float>
     : dtype == 1 ? channelwise<Op, Bfloat16>
                  : channelwise<Op, Float16>)(of, threads);
}

}  // namespace salu_zoo
