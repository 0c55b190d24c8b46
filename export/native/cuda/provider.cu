// The operators for ONNX Runtime's CUDA provider, float32 and float16. They are linked with those for the CPU, compiled
// with SALU_ZOO_CUDA defined, into one library. Tensors arrive as device memory, work goes to the stream of the run.
#include "../cpp/node.h"
#include "kernels.cuh"

namespace salu_zoo {
namespace {

constexpr size_t kFloatOperators = kPointwise + 2;  // the first of kOperators

OrtStatus* compute(void* kernel, OrtKernelContext* context) {
    const Node& node = *static_cast<const Node*>(kernel);
    void* stream = nullptr;
    if (OrtStatus* status = ort::gpu_stream(node.api, context, &stream)) return status;
    Tensors tensors{};
    if (OrtStatus* status = bind_tensors(node, context, &tensors)) return status;
    const bool half = node.element_type == ort::kFloat16;
    const cudaStream_t queue = static_cast<cudaStream_t>(stream);
    const void* const* in = tensors.inputs;
    const Formula formula = node.spec->formula;
    const cudaError_t error =
        formula == Formula::kFlesGate
            ? launch_gate(tensors.channels, half, in[0], in[1], in[2], tensors.output, tensors.count, queue)
        : formula == Formula::kPositiveMean
            ? launch_positive_mean(tensors.channels, half, in[0], tensors.output, tensors.count, queue)
            : launch_pointwise(formula, node.units, half, in[0], in[1], tensors.output, tensors.count, queue);
    return error == cudaSuccess ? nullptr : failure(node.api, ort::kFail, *node.spec, cudaGetErrorString(error));
}

OrtStatus* create(const ort::CustomOp* op, const ort::Api* api, const OrtKernelInfo* info, void** out) {
    Node* node = nullptr;
    OrtStatus* status = create_node(*static_cast<const Registered*>(op), api, info, nullptr, &node);
    *out = node;
    return status;
}

}  // namespace

size_t describe_cuda(Registered* operators) {
    constexpr size_t count = 2 * kFloatOperators;
    for (size_t i = 0; i < count; ++i) {
        describe(kOperators[i / 2], i % 2 ? ort::kFloat16 : ort::kFloat, "CUDAExecutionProvider", &operators[i]);
        operators[i].create_kernel_v2 = create;
        operators[i].kernel_compute_v2 = compute;
    }
    return count;
}

}  // namespace salu_zoo
