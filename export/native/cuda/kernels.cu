#include "kernels.cuh"
#include "scalar.cuh"

namespace salu_zoo {
namespace {

constexpr unsigned kThreads = 256;
constexpr size_t kMostBlocks = 65536;

struct Units {
    Unit values[2];
};

template <class T>
using Element = void (*)(const T* x, const T* r, T* y, size_t i, const Unit* units);

template <class T, Element<T> element>
__global__ void pointwise(const T* x, const T* r, T* y, size_t count, Units units) {
    const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        element(x, r, y, i, units.values);
    }
}

template <class T>
__global__ void gate(ChannelShape shape, const T* x, const T* vertical, const T* horizontal, T* y, size_t count) {
    const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        gate_element(shape, x, vertical, horizontal, y, i);
    }
}

// A block for each mean; its threads take every kThreads-th position.
template <class T>
__global__ void positive_mean(ChannelShape shape, const T* x, T* y, size_t count) {
    __shared__ PositiveSum sums[kThreads];
    for (size_t i = blockIdx.x; i < count; i += gridDim.x) {
        sums[threadIdx.x] = positive_sum(shape, x, i, threadIdx.x, kThreads);
        __syncthreads();
        for (unsigned half = kThreads / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) sums[threadIdx.x] = joined(sums[threadIdx.x], sums[threadIdx.x + half]);
            __syncthreads();
        }
        if (threadIdx.x == 0) put_mean(y + i, sums[0]);
        __syncthreads();
    }
}

unsigned blocks_for(size_t count) {
    const size_t blocks = (count + kThreads - 1) / kThreads;
    return static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

template <class T>
cudaError_t launch_as(Formula formula, const Units& units, const void* x, const void* r, void* y, size_t count,
                      cudaStream_t stream) {
    const T* from = static_cast<const T*>(x);
    const T* shortcut = static_cast<const T*>(r);
    T* to = static_cast<T*>(y);
    const unsigned blocks = blocks_for(count);
    switch (formula) {
        case Formula::kSalu:
            pointwise<T, one_element<SaluOf, T>><<<blocks, kThreads, 0, stream>>>(from, shortcut, to, count, units);
            break;
        case Formula::kSwalu:
            pointwise<T, one_element<SwaluOf, T>><<<blocks, kThreads, 0, stream>>>(from, shortcut, to, count, units);
            break;
        case Formula::kGalu:
            pointwise<T, one_element<GaluOf, T>><<<blocks, kThreads, 0, stream>>>(from, shortcut, to, count, units);
            break;
        case Formula::kSaluSwalu:
            pointwise<T, one_element<SaluSwaluOf, T>><<<blocks, kThreads, 0, stream>>>(from, shortcut, to, count, units);
            break;
        case Formula::kSaluAddSwalu:
            pointwise<T, two_elements<SaluAddSwaluOf, T>>
                <<<blocks, kThreads, 0, stream>>>(from, shortcut, to, count, units);
            break;
        default:
            return cudaErrorInvalidValue;
    }
    return cudaGetLastError();
}

template <class T>
cudaError_t launch_gate_as(const ChannelShape& shape, const void* x, const void* vertical, const void* horizontal, void* y,
                           size_t count, cudaStream_t stream) {
    gate<T><<<blocks_for(count), kThreads, 0, stream>>>(shape, static_cast<const T*>(x),
                                                        static_cast<const T*>(vertical),
                                                        static_cast<const T*>(horizontal), static_cast<T*>(y), count);
    return cudaGetLastError();
}

template <class T>
cudaError_t launch_positive_mean_as(const ChannelShape& shape, const void* x, void* y, size_t count,
                                    cudaStream_t stream) {
    const unsigned blocks = static_cast<unsigned>(count < kMostBlocks ? count : kMostBlocks);
    positive_mean<T><<<blocks, kThreads, 0, stream>>>(shape, static_cast<const T*>(x), static_cast<T*>(y), count);
    return cudaGetLastError();
}

}  // namespace

cudaError_t launch_pointwise(Formula formula, const Unit* units, bool half, const void* x, const void* r, void* y,
                             size_t count, cudaStream_t stream) {
    if (count == 0) return cudaSuccess;
    const Units both{{units[0], units[1]}};
    return half ? launch_as<__half>(formula, both, x, r, y, count, stream)
                : launch_as<float>(formula, both, x, r, y, count, stream);
}

cudaError_t launch_gate(const ChannelShape& shape, bool half, const void* x, const void* vertical, const void* horizontal,
                        void* y, size_t count, cudaStream_t stream) {
    if (count == 0) return cudaSuccess;
    return half ? launch_gate_as<__half>(shape, x, vertical, horizontal, y, count, stream)
                : launch_gate_as<float>(shape, x, vertical, horizontal, y, count, stream);
}

cudaError_t launch_positive_mean(const ChannelShape& shape, bool half, const void* x, void* y, size_t count,
                                 cudaStream_t stream) {
    if (count == 0) return cudaSuccess;
    return half ? launch_positive_mean_as<__half>(shape, x, y, count, stream)
                : launch_positive_mean_as<float>(shape, x, y, count, stream);
}

}  // namespace salu_zoo
