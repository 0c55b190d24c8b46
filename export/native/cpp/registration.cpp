// What ONNX Runtime asks of an operator before any kernel runs, and how the domain reaches the session options.
#include <atomic>
#include <cstdlib>

#include "node.h"

namespace salu_zoo {
namespace {

const Registered& self(const ort::CustomOp* op) { return *static_cast<const Registered*>(op); }

// Element by element, so an input that nobody reads any more may be overwritten.
size_t may_inplace(int** inputs, int** outputs) {
    *inputs = static_cast<int*>(std::malloc(sizeof(int)));
    *outputs = static_cast<int*>(std::malloc(sizeof(int)));
    if (*inputs == nullptr || *outputs == nullptr) {
        std::free(*inputs);
        std::free(*outputs);
        *inputs = *outputs = nullptr;
        return 0;
    }
    **inputs = **outputs = 0;
    return 1;
}

void release_may_inplace(int* inputs, int* outputs) {
    std::free(inputs);
    std::free(outputs);
}

// Held for a few calls while a process loads the library, so spinning is simpler than a lock that needs a library.
class Guard {
public:
    Guard() {
        while (flag_.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~Guard() { flag_.clear(std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    static std::atomic_flag flag_;
};
std::atomic_flag Guard::flag_ = ATOMIC_FLAG_INIT;

}  // namespace

void describe(const OperatorSpec& spec, int element_type, const char* provider, Registered* op) {
    op->version = ort::kVersion;
    op->spec = &spec;
    op->element_type = element_type;
    op->provider = provider;
    op->name = [](const ort::CustomOp* o) { return self(o).spec->name; };
    op->execution_provider = [](const ort::CustomOp* o) { return self(o).provider; };
    op->input_type = [](const ort::CustomOp* o, size_t) { return self(o).element_type; };
    op->output_type = op->input_type;
    op->input_count = [](const ort::CustomOp* o) { return static_cast<size_t>(self(o).spec->inputs); };
    op->output_count = [](const ort::CustomOp*) { return size_t{1}; };
    op->kernel_destroy = [](void* kernel) { destroy_node(static_cast<Node*>(kernel)); };
    op->input_characteristic = [](const ort::CustomOp*, size_t) { return 0; };  // required
    op->output_characteristic = op->input_characteristic;
    op->input_memory_type = op->input_characteristic;  // the default: where the provider computes
    // No shape is inferred here; the exporter writes the shapes into the file (value_info).
    if (spec.formula != Formula::kPositiveMean) {  // whose output is smaller than its input
        op->may_inplace = may_inplace;
        op->release_may_inplace = release_may_inplace;
    }
}

OrtStatus* register_library(OrtSessionOptions* options, const ort::ApiBase* base, Library* library) {
    const ort::Api* api = base->get_api(ort::kVersion);
    if (api == nullptr) {
        api = base->get_api(1);
        return ort::create_status(api, ort::kNotImplemented,
                                  "The salu_zoo operators need ONNX Runtime 1.18 or newer.");
    }
    const Guard guard;
    if (library->domain == nullptr) {
        const size_t count = library->describe(library->operators);
        OrtCustomOpDomain* created = nullptr;
        if (OrtStatus* status = ort::create_domain(api, kDomain, &created)) return status;
        for (size_t i = 0; i < count; ++i) {
            // A domain left half filled by a failure is given up: it is a few bytes, once.
            if (OrtStatus* status = ort::add_operator(api, created, &library->operators[i])) return status;
        }
        library->domain = created;
    }
    return ort::add_domain(api, options, library->domain);
}

}  // namespace salu_zoo
