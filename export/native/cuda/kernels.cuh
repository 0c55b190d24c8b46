// The operators on a GPU, in float32 and float16; computed in float32.
#pragma once

#include <cuda_runtime.h>

#include "../cpp/kernels.h"

namespace salu_zoo {

// x, r, y and the coefficients are on the device; `half` says that they are float16. Results are ready when `stream`
// has come this far.
cudaError_t launch_pointwise(Formula formula, const Unit* units, bool half, const void* x, const void* r, void* y,
                             size_t count, cudaStream_t stream);
cudaError_t launch_gate(const ChannelShape& shape, bool half, const void* x, const void* vertical, const void* horizontal,
                        void* y, size_t count, cudaStream_t stream);
// `count` means, one for each sample and channel.
cudaError_t launch_positive_mean(const ChannelShape& shape, bool half, const void* x, void* y, size_t count,
                                 cudaStream_t stream);

}  // namespace salu_zoo
