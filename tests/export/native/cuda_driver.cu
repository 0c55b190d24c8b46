// The CUDA operators without ONNX Runtime, case by case: "host" runs their formulas on the CPU, "device" the kernels;
// with "half" the arrays are rounded to float16 before and widened after.
#include <cstring>

#include "../../../export/native/cuda/kernels.cuh"
#include "../../../export/native/cuda/scalar.cuh"
#include "protocol.h"

namespace {

void check(cudaError_t error) {
    if (error != cudaSuccess) give_up(cudaGetErrorString(error));
}

void store(float* to, float value) { *to = value; }
void store(__half* to, float value) { *to = __float2half_rn(value); }
float widened(float value) { return value; }
float widened(__half value) { return __half2float(value); }

template <class T>
T* narrowed(const float* from, int64_t count) {
    T* to = block<T>(count);
    for (int64_t i = 0; i < count; ++i) store(to + i, from[i]);
    return to;
}

template <class T>
void on_host(const Header& header, const ChannelShape& shape, const Unit* units, const T* x, const T* second,
             const T* third, T* y) {
    for (size_t i = 0; i < static_cast<size_t>(header.results); ++i) {
        switch (static_cast<Formula>(header.formula)) {
            case Formula::kSalu:
                one_element<SaluOf>(x, second, y, i, units);
                break;
            case Formula::kSwalu:
                one_element<SwaluOf>(x, second, y, i, units);
                break;
            case Formula::kGalu:
                one_element<GaluOf>(x, second, y, i, units);
                break;
            case Formula::kSaluSwalu:
                one_element<SaluSwaluOf>(x, second, y, i, units);
                break;
            case Formula::kSaluAddSwalu:
                two_elements<SaluAddSwaluOf>(x, second, y, i, units);
                break;
            case Formula::kPositiveMean:
                put_mean(y + i, joined(positive_sum(shape, x, i, 0, 2), positive_sum(shape, x, i, 1, 2)));
                break;
            default:
                gate_element(shape, x, second, third, y, i);
        }
    }
}

template <class T>
T* to_device(const T* from, int64_t count) {
    void* to = nullptr;
    const size_t size = static_cast<size_t>(count) * sizeof(T);
    check(cudaMalloc(&to, size + 1));
    check(cudaMemcpy(to, from, size, cudaMemcpyHostToDevice));
    return static_cast<T*>(to);
}

template <class T>
void on_device(const Header& header, const ChannelShape& shape, const Unit* units, const T* x, const T* second,
               const T* third, T* y) {
    constexpr bool half = sizeof(T) == 2;
    const Formula formula = static_cast<Formula>(header.formula);
    const size_t count = static_cast<size_t>(header.results);
    T* in[3] = {to_device(x, header.count), to_device(second, header.second), to_device(third, header.third)};
    T* out = to_device(y, header.results);
    check(formula == Formula::kFlesGate       ? launch_gate(shape, half, in[0], in[1], in[2], out, count, nullptr)
          : formula == Formula::kPositiveMean ? launch_positive_mean(shape, half, in[0], out, count, nullptr)
                                              : launch_pointwise(formula, units, half, in[0], in[1], out, count, nullptr));
    check(cudaMemcpy(y, out, count * sizeof(T), cudaMemcpyDeviceToHost));
    for (T* data : in) check(cudaFree(data));
    check(cudaFree(out));
}

template <class T>
void run(const Header& header, bool device) {
    const ChannelShape shape{static_cast<size_t>(header.blocks),        static_cast<size_t>(header.outer),
                             static_cast<size_t>(header.channels),      static_cast<size_t>(header.inner),
                             static_cast<size_t>(header.vertical_step), static_cast<size_t>(header.horizontal_step)};
    char message[256];
    Unit units[2] = {};
    if (make_units(static_cast<Formula>(header.formula), header.attributes, units, message, sizeof message) != nullptr) {
        give_up(message);
    }
    const int64_t counts[3] = {header.count, header.second, header.third};
    T* in[3];
    for (int i = 0; i < 3; ++i) {
        float* given = read_block<float>(counts[i]);
        in[i] = narrowed<T>(given, counts[i]);
        std::free(given);
    }
    T* y = block<T>(header.results);
    device ? on_device(header, shape, units, in[0], in[1], in[2], y)
           : on_host(header, shape, units, in[0], in[1], in[2], y);
    float* result = block<float>(header.results);
    for (int64_t i = 0; i < header.results; ++i) result[i] = widened(y[i]);
    for (T* data : in) std::free(data);
    std::free(y);
    write_block(result, header.results);
}

}  // namespace

int main(int count, char** words) {
    if (count != 3) give_up("usage: cuda_driver host|device float|half");
    const bool device = std::strcmp(words[1], "device") == 0, half = std::strcmp(words[2], "half") == 0;
    Header header;
    while (read(&header, sizeof header)) half ? run<__half>(header, device) : run<float>(header, device);
    return 0;
}
