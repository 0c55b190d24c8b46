// The part of ONNX Runtime's C ABI that a custom-operator library needs. The ABI is public, frozen and append-only;
// the names and slot numbers are facts of it, the declarations are ours, since the wheels carry no header.
#pragma once

#include <cstddef>
#include <cstdint>

struct OrtStatus;
struct OrtSessionOptions;
struct OrtCustomOpDomain;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtValue;
struct OrtTensorShape;
struct OrtShapeInferContext;

namespace ort {

// OrtApi is a struct of function pointers only: an array of them to us.
struct Api {
    void* slots[1];
};

// The oldest ONNX Runtime we load in is 1.18: its OrtCustomOp has MayInplace, its OrtApi ParallelFor.
constexpr uint32_t kVersion = 18;

enum StatusCode : int { kFail = 1, kInvalidArgument = 2, kNotImplemented = 9 };
enum ElementType : int { kFloat = 1, kUint8 = 2, kFloat16 = 10 };

using ParallelBody = void (*)(void* user, size_t index);

// One row per function: its slot in OrtApi and its type.
#define SALU_ZOO_ORT_FUNCTION(name, slot, ...)                                        \
    template <class... A>                                                             \
    inline auto name(const Api* api, A... arguments) {                                \
        using Function = __VA_ARGS__;                                                 \
        return reinterpret_cast<Function>((&api->slots[0])[slot])(arguments...);      \
    }

SALU_ZOO_ORT_FUNCTION(create_status, 0, OrtStatus* (*)(int code, const char* message))
SALU_ZOO_ORT_FUNCTION(create_domain, 26, OrtStatus* (*)(const char* name, OrtCustomOpDomain** out))
SALU_ZOO_ORT_FUNCTION(add_operator, 27, OrtStatus* (*)(OrtCustomOpDomain* domain, const void* op))
SALU_ZOO_ORT_FUNCTION(add_domain, 28, OrtStatus* (*)(OrtSessionOptions* options, OrtCustomOpDomain* domain))
SALU_ZOO_ORT_FUNCTION(tensor_data, 51, OrtStatus* (*)(OrtValue* value, void** out))
SALU_ZOO_ORT_FUNCTION(rank, 61, OrtStatus* (*)(const OrtTensorShape* shape, size_t* out))
SALU_ZOO_ORT_FUNCTION(dimensions, 62, OrtStatus* (*)(const OrtTensorShape* shape, int64_t* out, size_t count))
SALU_ZOO_ORT_FUNCTION(shape_of, 65, OrtStatus* (*)(const OrtValue* value, OrtTensorShape** out))
SALU_ZOO_ORT_FUNCTION(float_attribute, 85, OrtStatus* (*)(const OrtKernelInfo* info, const char* name, float* out))
SALU_ZOO_ORT_FUNCTION(int_attribute, 86, OrtStatus* (*)(const OrtKernelInfo* info, const char* name, int64_t* out))
SALU_ZOO_ORT_FUNCTION(input, 90, OrtStatus* (*)(const OrtKernelContext* context, size_t index, const OrtValue** out))
SALU_ZOO_ORT_FUNCTION(output, 91,
                      OrtStatus* (*)(OrtKernelContext* context, size_t index, const int64_t* dimensions, size_t rank,
                                     OrtValue** out))
SALU_ZOO_ORT_FUNCTION(release_status, 93, void (*)(OrtStatus* status))
SALU_ZOO_ORT_FUNCTION(release_shape, 99, void (*)(OrtTensorShape* shape))
SALU_ZOO_ORT_FUNCTION(gpu_stream, 193, OrtStatus* (*)(const OrtKernelContext* context, void** out))
SALU_ZOO_ORT_FUNCTION(parallel_for, 274,
                      OrtStatus* (*)(const OrtKernelContext* context, ParallelBody body, size_t total, size_t batches,
                                     void* user))
#undef SALU_ZOO_ORT_FUNCTION

struct ApiBase {
    const Api* (*get_api)(uint32_t version);  // null where the runtime is older than `version`
    const char* (*version_string)();
};

// OrtCustomOp: the order of the fields is the ABI. `version` says up to where ONNX Runtime may read.
struct CustomOp {
    uint32_t version;
    void* (*create_kernel)(const CustomOp*, const Api*, const OrtKernelInfo*);
    const char* (*name)(const CustomOp*);
    const char* (*execution_provider)(const CustomOp*);
    int (*input_type)(const CustomOp*, size_t);
    size_t (*input_count)(const CustomOp*);
    int (*output_type)(const CustomOp*, size_t);
    size_t (*output_count)(const CustomOp*);
    void (*kernel_compute)(void*, OrtKernelContext*);
    void (*kernel_destroy)(void*);
    int (*input_characteristic)(const CustomOp*, size_t);
    int (*output_characteristic)(const CustomOp*, size_t);
    int (*input_memory_type)(const CustomOp*, size_t);
    int (*variadic_input_minimum)(const CustomOp*);
    int (*variadic_input_homogeneous)(const CustomOp*);
    int (*variadic_output_minimum)(const CustomOp*);
    int (*variadic_output_homogeneous)(const CustomOp*);
    OrtStatus* (*create_kernel_v2)(const CustomOp*, const Api*, const OrtKernelInfo*, void**);
    OrtStatus* (*kernel_compute_v2)(void*, OrtKernelContext*);
    OrtStatus* (*infer_output_shape)(const CustomOp*, OrtShapeInferContext*);
    int (*start_version)(const CustomOp*);
    int (*end_version)(const CustomOp*);
    size_t (*may_inplace)(int** inputs, int** outputs);
    void (*release_may_inplace)(int* inputs, int* outputs);
    size_t (*alias_map)(int** inputs, int** outputs);
    void (*release_alias_map)(int* inputs, int* outputs);
};

}  // namespace ort
