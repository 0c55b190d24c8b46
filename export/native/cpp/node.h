// A node of the graph: its operator, its attributes in the form the kernels take, and the tensors of one run.
#pragma once

#include "kernels.h"
#include "ort_abi.h"

namespace salu_zoo {

struct OperatorSpec {
    const char* name;
    Formula formula;
    bool quantised;  // uint8 to uint8 by a table
    int inputs;
};

// The operators, in the order in which they are registered.
constexpr size_t kOperatorCount = 12;
extern const OperatorSpec kOperators[kOperatorCount];
constexpr const char* kDomain = "salu_zoo";

struct Node {
    const OperatorSpec* spec;
    const ort::Api* api;
    const Kernels* kernels;
    int element_type;
    Unit units[2];
    int64_t axis, block;  // of FlesGate and PositiveMean
    uint8_t* table;  // of a quantised operator
};

// The tensors of one run, their shapes checked against each other.
struct Tensors {
    const void* inputs[3];
    void* output;
    size_t count;  // of the output
    ChannelShape channels;
};
OrtStatus* bind_tensors(const Node& node, OrtKernelContext* context, Tensors* out);

OrtStatus* failure(const ort::Api* api, int code, const OperatorSpec& spec, const char* text);

// An operator as ONNX Runtime sees it; `describe` fills in all but the creation and the computation.
struct Registered : ort::CustomOp {
    const OperatorSpec* spec;
    int element_type;
    const char* provider;  // null: the CPU
};

// Null, or a status; `*out` is to be given to `destroy_node`.
OrtStatus* create_node(const Registered& op, const ort::Api* api, const OrtKernelInfo* info, const Kernels* kernels,
                       Node** out);
void destroy_node(Node* node);

void describe(const OperatorSpec& spec, int element_type, const char* provider, Registered* op);

// All operators and the one domain they are in: ONNX Runtime refuses a second of that name in a session. It is made once
// and never released, since a session may outlive the options that it was opened with.
struct Library {
    size_t (*describe)(Registered* operators);  // how many there are
    Registered operators[3 * kOperatorCount];
    OrtCustomOpDomain* domain;
};
OrtStatus* register_library(OrtSessionOptions* options, const ort::ApiBase* base, Library* library);

}  // namespace salu_zoo
