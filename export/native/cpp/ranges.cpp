// Loops that are the same for every instruction set.
#include "kernels.h"

namespace salu_zoo {

void lookup_pairs(const uint8_t* x, const uint8_t* r, uint8_t* y, size_t count, const uint8_t* table) {
    for (size_t i = 0; i < count; ++i) y[i] = table[static_cast<size_t>(x[i]) << 8 | r[i]];
}

void gate_range(const Kernels& kernels, const GateShape& shape, const float* x, const float* vertical,
                const float* horizontal, float* y, size_t begin, size_t end) {
    // A run is as far as the coefficients can be had in one call: a row of channels, or the elements of one channel.
    const bool row = shape.inner == 1;
    const size_t run = row ? shape.channels : shape.inner;
    const size_t runs_per_sample = row ? shape.outer : shape.outer * shape.channels;
    const GateKernel kernel = row ? kernels.gate_row : kernels.gate_segment;
    while (begin < end) {
        const size_t index = begin / run, offset = begin % run;
        const size_t count = run - offset < end - begin ? run - offset : end - begin;
        const size_t sample = index / runs_per_sample;
        const size_t channel = row ? offset : index % shape.channels;
        kernel(x + begin, vertical + sample * shape.vertical_step + channel,
               horizontal + sample * shape.horizontal_step + channel, y + begin, count);
        begin += count;
    }
}

}  // namespace salu_zoo
