// The operators on the CPU, and the entry point of the library.
#include "node.h"

#if defined(_WIN32)
#define SALU_ZOO_EXPORT __declspec(dllexport)
#else
#define SALU_ZOO_EXPORT __attribute__((visibility("default")))
#endif

namespace salu_zoo {
namespace {

// Elements of one task of the thread pool. Results do not depend on it.
constexpr size_t kFloatsPerTask = 16384;
constexpr size_t kBytesPerTask = 65536;

struct Run {
    const Node* node;
    Tensors tensors;
    size_t per_task;
};

void run_floats(const Run& run, size_t begin, size_t end) {
    const Node& node = *run.node;
    const float* x = static_cast<const float*>(run.tensors.inputs[0]);
    float* y = static_cast<float*>(run.tensors.output);
    if (node.spec->formula == Formula::kFlesGate) {
        gate_range(*node.kernels, run.tensors.channels, x, static_cast<const float*>(run.tensors.inputs[1]),
                   static_cast<const float*>(run.tensors.inputs[2]), y, begin, end);
        return;
    }
    if (node.spec->formula == Formula::kPositiveMean) {
        positive_mean_range(*node.kernels, run.tensors.channels, x, y, begin, end);
        return;
    }
    const float* r = node.spec->inputs == 2 ? static_cast<const float*>(run.tensors.inputs[1]) + begin : nullptr;
    node.kernels->pointwise[static_cast<int>(node.spec->formula)](x + begin, r, y + begin, end - begin, node.units);
}

void run_bytes(const Run& run, size_t begin, size_t end) {
    const Node& node = *run.node;
    const uint8_t* x = static_cast<const uint8_t*>(run.tensors.inputs[0]) + begin;
    uint8_t* y = static_cast<uint8_t*>(run.tensors.output) + begin;
    if (node.spec->inputs == 2) {
        lookup_pairs(x, static_cast<const uint8_t*>(run.tensors.inputs[1]) + begin, y, end - begin, node.table);
    } else {
        node.kernels->lookup(x, y, end - begin, node.table);
    }
}

// One mean reads all positions of a channel; channels that lie side by side are read in whole cache lines.
size_t means_per_task(const ChannelShape& shape) {
    const size_t positions = shape.outer * shape.inner, together = shape.inner == 1 ? 64 : 1;
    const size_t means = positions == 0 ? kFloatsPerTask : kFloatsPerTask / positions;
    return (means / together + 1) * together;
}

void run_task(void* user, size_t index) {
    const Run& run = *static_cast<const Run*>(user);
    const size_t begin = index * run.per_task, rest = run.tensors.count - begin;
    const size_t end = begin + (rest < run.per_task ? rest : run.per_task);
    run.node->spec->quantised ? run_bytes(run, begin, end) : run_floats(run, begin, end);
}

OrtStatus* compute(void* kernel, OrtKernelContext* context) {
    const Node& node = *static_cast<const Node*>(kernel);
    Run run{&node, {}, node.spec->quantised ? kBytesPerTask : kFloatsPerTask};
    if (OrtStatus* status = bind_tensors(node, context, &run.tensors)) return status;
    if (node.spec->formula == Formula::kPositiveMean) run.per_task = means_per_task(run.tensors.channels);
    const size_t tasks = (run.tensors.count + run.per_task - 1) / run.per_task;
    if (tasks > 1) {
        return ort::parallel_for(node.api, context, &run_task, tasks, 0, &run);
    }
    if (tasks == 1) run_task(&run, 0);
    return nullptr;
}

OrtStatus* create(const ort::CustomOp* op, const ort::Api* api, const OrtKernelInfo* info, void** out) {
    const Registered& registered = *static_cast<const Registered*>(op);
    const char* problem = nullptr;
    const Kernels* kernels = choose_kernels(&problem);
    if (kernels == nullptr) return failure(api, ort::kInvalidArgument, *registered.spec, problem);
    Node* node = nullptr;
    OrtStatus* status = create_node(registered, api, info, kernels, &node);
    *out = node;
    return status;
}

size_t describe_all(Registered* operators) {
    for (size_t i = 0; i < kOperatorCount; ++i) {
        describe(kOperators[i], kOperators[i].quantised ? ort::kUint8 : ort::kFloat, nullptr, &operators[i]);
        operators[i].create_kernel_v2 = create;
        operators[i].kernel_compute_v2 = compute;
    }
    return kOperatorCount;
}

Library library = {describe_all, {}, nullptr};

}  // namespace
}  // namespace salu_zoo

// The set of instructions that would run, or null where SALU_ZOO_ISA names one this processor lacks.
extern "C" SALU_ZOO_EXPORT const char* salu_zoo_isa() {
    const char* problem = nullptr;
    const salu_zoo::Kernels* kernels = salu_zoo::choose_kernels(&problem);
    return kernels == nullptr ? nullptr : kernels->name;
}

extern "C" SALU_ZOO_EXPORT OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const ort::ApiBase* base) {
    using namespace salu_zoo;
    const char* problem = nullptr;
    if (choose_kernels(&problem) == nullptr) {
        return ort::create_status(base->get_api(1), ort::kInvalidArgument, problem);
    }
    return register_library(options, base, &library);
}
