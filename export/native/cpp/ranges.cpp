// Loops that are the same for every instruction set.
#include "kernels.h"

namespace salu_zoo {

void lookup_pairs(const uint8_t* x, const uint8_t* r, uint8_t* y, size_t count, const uint8_t* table) {
    for (size_t i = 0; i < count; ++i) y[i] = table[static_cast<size_t>(x[i]) << 8 | r[i]];
}

void gate_range(const Kernels& kernels, const ChannelShape& shape, const float* x, const float* vertical,
                const float* horizontal, float* y, size_t begin, size_t end) {
    // A run is as far as the coefficients can be had in one call: a row of channels, or the elements of one channel.
    const bool row = shape.inner == 1;
    const size_t run = row ? shape.channels : shape.inner;
    const size_t runs_per_block = row ? shape.outer : shape.outer * shape.channels;
    while (begin < end) {
        const size_t index = begin / run, offset = begin % run, left = end - begin;
        const size_t block = index / runs_per_block, sample = block / shape.blocks;
        const size_t channel = block % shape.blocks * shape.channels + (row ? offset : index % shape.channels);
        const float* v = vertical + sample * shape.vertical_step + channel;
        const float* h = horizontal + sample * shape.horizontal_step + channel;
        size_t count = run - offset < left ? run - offset : left;
        if (row && offset == 0 && left >= run) {
            const size_t rows = runs_per_block - index % runs_per_block, fitting = left / run;
            count = (rows < fitting ? rows : fitting) * run;
            kernels.gate_rows(x + begin, v, h, y + begin, count / run, run);
        } else {
            (row ? kernels.gate_row : kernels.gate_segment)(x + begin, v, h, y + begin, count);
        }
        begin += count;
    }
}

void positive_mean_range(const Kernels& kernels, const ChannelShape& shape, const float* x, float* y, size_t begin,
                         size_t end) {
    constexpr size_t kColumns = 64;
    while (begin < end) {
        const size_t channel = begin % shape.channels, block = begin / shape.channels;
        const float* from = x + (block * shape.outer * shape.channels + channel) * shape.inner;
        double totals[kColumns] = {}, numbers[kColumns] = {};
        size_t count = 1;
        if (shape.inner == 1) {
            const size_t rest = shape.channels - channel < end - begin ? shape.channels - channel : end - begin;
            count = rest < kColumns ? rest : kColumns;
            kernels.positive_rows(from, shape.outer, shape.channels, count, totals, numbers);
        } else {
            for (size_t i = 0; i < shape.outer; ++i) {
                kernels.positive_segment(from + i * shape.channels * shape.inner, shape.inner, totals, numbers);
            }
        }
        for (size_t i = 0; i < count; ++i) {
            y[begin + i] = static_cast<float>(totals[i] / (numbers[i] > 1.0 ? numbers[i] : 1.0));
        }
        begin += count;
    }
}

}  // namespace salu_zoo
