#include "node.h"

#include <cstdio>
#include <cstdlib>

namespace salu_zoo {

const OperatorSpec kOperators[kOperatorCount] = {
    {"Salu", Formula::kSalu, false, 1},
    {"Swalu", Formula::kSwalu, false, 1},
    {"Galu", Formula::kGalu, false, 1},
    {"SaluSwalu", Formula::kSaluSwalu, false, 1},
    {"SaluAddSwalu", Formula::kSaluAddSwalu, false, 2},
    {"FlesGate", Formula::kFlesGate, false, 3},
    {"PositiveMean", Formula::kPositiveMean, false, 1},
    {"QSalu", Formula::kSalu, true, 1},
    {"QSwalu", Formula::kSwalu, true, 1},
    {"QGalu", Formula::kGalu, true, 1},
    {"QSaluSwalu", Formula::kSaluSwalu, true, 1},
    {"QSaluAddSwalu", Formula::kSaluAddSwalu, true, 2},
};

OrtStatus* failure(const ort::Api* api, int code, const OperatorSpec& spec, const char* text) {
    char message[512];
    std::snprintf(message, sizeof message, "%s.%s: %s", kDomain, spec.name, text);
    return ort::create_status(api, code, message);
}

namespace {

// Reads attributes one after the other; after the first that is missing the others are not asked for.
struct Reader {
    const OperatorSpec& spec;
    const ort::Api* api;
    const OrtKernelInfo* info;
    OrtStatus* status = nullptr;

    void missing(const char* name, const char* type, OrtStatus* found) {
        ort::release_status(api, found);
        char text[128];
        std::snprintf(text, sizeof text, "attribute %s (%s) is missing or of another type.", name, type);
        status = failure(api, ort::kInvalidArgument, spec, text);
    }
    void read(const char* name, double* out) {
        if (status != nullptr) return;
        float value = 0.0f;
        if (OrtStatus* found = ort::float_attribute(api, info, name, &value)) return missing(name, "float", found);
        *out = static_cast<double>(value);
    }
    void read(const char* name, int64_t* out) {
        if (status != nullptr) return;
        if (OrtStatus* found = ort::int_attribute(api, info, name, out)) return missing(name, "int", found);
    }
};

// The formulas with an axis.
bool knows_channels(Formula formula) {
    return formula == Formula::kFlesGate || formula == Formula::kPositiveMean;
}

OrtStatus* read_attributes(Reader* reader, Attributes* at) {
    static const char* const pairs[2][2] = {{"a", "b"}, {"c", "d"}};
    for (int pair = 0; pair < pairs_of(reader->spec.formula); ++pair) {
        reader->read(pairs[pair][0], &at->a[pair]);
        reader->read(pairs[pair][1], &at->b[pair]);
    }
    if (reader->spec.quantised) {
        static const char* const names[3][2] = {
            {"x_scale", "x_zero_point"}, {"r_scale", "r_zero_point"}, {"y_scale", "y_zero_point"}};
        for (int which = 0; which < 3; ++which) {
            if (which == 1 && reader->spec.inputs == 1) continue;
            reader->read(names[which][0], &at->scale[which]);
            reader->read(names[which][1], &at->zero_point[which]);
        }
    }
    return reader->status;
}

constexpr size_t kMaxRank = 16;

OrtStatus* check_channels(const Node& node) {
    constexpr int64_t most = static_cast<int64_t>(kMaxRank);
    char text[128];
    if (node.axis == 0 || node.axis < -most || node.axis >= most) {
        std::snprintf(text, sizeof text, "axis = %lld; it must be in -16..-1 or 1..15, and not the batch axis 0.",
                      static_cast<long long>(node.axis));
    } else if (node.block < 1) {
        std::snprintf(text, sizeof text, "block = %lld; it must be positive.", static_cast<long long>(node.block));
    } else {
        return nullptr;
    }
    return failure(node.api, ort::kInvalidArgument, *node.spec, text);
}

OrtStatus* fill(Node* node, const OrtKernelInfo* info) {
    const OperatorSpec& spec = *node->spec;
    Reader reader{spec, node->api, info};
    Attributes at{};
    if (OrtStatus* status = read_attributes(&reader, &at)) return status;
    if (knows_channels(spec.formula)) {
        reader.read("axis", &node->axis);
        reader.read("block", &node->block);
        return reader.status != nullptr ? reader.status : check_channels(*node);
    }
    char message[256];
    const char* problem;
    if (spec.quantised) {
        node->table = static_cast<uint8_t*>(std::malloc(table_size(spec.formula)));
        if (node->table == nullptr) return failure(node->api, ort::kFail, spec, "out of memory.");
        problem = make_table(spec.formula, at, node->table, message, sizeof message);
    } else {
        problem = make_units(spec.formula, at, node->units, message, sizeof message);
    }
    return problem == nullptr ? nullptr : failure(node->api, ort::kInvalidArgument, spec, problem);
}

struct Shape {
    size_t rank;
    int64_t sizes[kMaxRank];

    size_t count(size_t from, size_t to) const {
        size_t product = 1;
        for (size_t i = from; i < to; ++i) product *= static_cast<size_t>(sizes[i]);
        return product;
    }
    bool operator==(const Shape& other) const {
        bool same = rank == other.rank;
        for (size_t i = 0; same && i < rank; ++i) same = sizes[i] == other.sizes[i];
        return same;
    }
    void text(char* out, size_t size) const {
        size_t used = static_cast<size_t>(std::snprintf(out, size, "("));
        for (size_t i = 0; i < rank && used < size; ++i) {
            used += static_cast<size_t>(
                std::snprintf(out + used, size - used, i ? ", %lld" : "%lld", static_cast<long long>(sizes[i])));
        }
        if (used < size) std::snprintf(out + used, size - used, ")");
    }
};

OrtStatus* read_shape(const Node& node, const OrtValue* value, Shape* shape) {
    OrtTensorShape* info = nullptr;
    if (OrtStatus* status = ort::shape_of(node.api, value, &info)) return status;
    OrtStatus* status = ort::rank(node.api, info, &shape->rank);
    if (status == nullptr && shape->rank > kMaxRank) {
        status = failure(node.api, ort::kInvalidArgument, *node.spec, "a tensor has more than 16 dimensions.");
    }
    if (status == nullptr) {
        status = ort::dimensions(node.api, info, shape->sizes, shape->rank);
    }
    ort::release_shape(node.api, info);
    return status;
}

OrtStatus* wrong_shape(const Node& node, const char* what, const Shape& found, const Shape& x) {
    char first[160], second[160], text[448];
    found.text(first, sizeof first);
    x.text(second, sizeof second);
    std::snprintf(text, sizeof text, "%s has shape %s and X %s; %s", what, first, second,
                  node.spec->formula == Formula::kFlesGate
                      ? "it needs X's rank and size 1, except X's size on `axis` and, if not 1, on axis 0."
                      : "they must be the same.");
    return failure(node.api, ort::kInvalidArgument, *node.spec, text);
}

// Whether a coefficient of this shape fits X; `step` is then the number of its values for one sample, or 0.
bool coefficient_fits(const Shape& shape, const Shape& x, size_t axis, size_t* step) {
    if (shape.rank != x.rank || shape.sizes[axis] != x.sizes[axis]) return false;
    for (size_t i = 1; i < x.rank; ++i) {
        if (i != axis && shape.sizes[i] != 1) return false;
    }
    if (shape.sizes[0] != 1 && shape.sizes[0] != x.sizes[0]) return false;
    *step = shape.sizes[0] == 1 ? 0 : static_cast<size_t>(x.sizes[axis]);
    return true;
}

// x in a layout of channel blocks: (n, channels / block, positions, block).
OrtStatus* split_channels(const Node& node, ChannelShape* shape) {
    const size_t block = static_cast<size_t>(node.block);
    if (shape->outer != 1 || shape->channels % block != 0) {
        char text[160];
        std::snprintf(text, sizeof text, "block = %lld does not divide X's %zu channels, or their axis is not 1.",
                      static_cast<long long>(node.block), shape->channels);
        return failure(node.api, ort::kInvalidArgument, *node.spec, text);
    }
    *shape = {shape->channels / block, shape->inner, block, 1, shape->vertical_step, shape->horizontal_step};
    return nullptr;
}

OrtStatus* channel_shape(const Node& node, const Shape* shapes, ChannelShape* out) {
    const Shape& x = shapes[0];
    const int64_t rank = static_cast<int64_t>(x.rank), axis = node.axis < 0 ? node.axis + rank : node.axis;
    if (axis < 1 || axis >= rank) {
        char text[128];
        std::snprintf(text, sizeof text, "axis = %lld is not one of X's %lld dimensions after the batch axis 0.",
                      static_cast<long long>(node.axis), static_cast<long long>(rank));
        return failure(node.api, ort::kInvalidArgument, *node.spec, text);
    }
    const size_t channel = static_cast<size_t>(axis);
    if (node.spec->formula == Formula::kFlesGate) {
        if (!coefficient_fits(shapes[1], x, channel, &out->vertical_step)) return wrong_shape(node, "V", shapes[1], x);
        if (!coefficient_fits(shapes[2], x, channel, &out->horizontal_step)) return wrong_shape(node, "H", shapes[2], x);
    }
    out->blocks = 1;
    out->outer = x.count(1, channel);
    out->channels = static_cast<size_t>(x.sizes[channel]);
    out->inner = x.count(channel + 1, x.rank);
    return node.block == 1 ? nullptr : split_channels(node, out);
}

}  // namespace

OrtStatus* create_node(const Registered& op, const ort::Api* api, const OrtKernelInfo* info, const Kernels* kernels,
                       Node** out) {
    Node* node = static_cast<Node*>(std::calloc(1, sizeof(Node)));
    if (node == nullptr) return failure(api, ort::kFail, *op.spec, "out of memory.");
    node->spec = op.spec;
    node->element_type = op.element_type;
    node->api = api;
    node->kernels = kernels;
    if (OrtStatus* status = fill(node, info)) {
        destroy_node(node);
        return status;
    }
    *out = node;
    return nullptr;
}

void destroy_node(Node* node) {
    if (node != nullptr) std::free(node->table);
    std::free(node);
}

OrtStatus* bind_tensors(const Node& node, OrtKernelContext* context, Tensors* out) {
    Shape shapes[3] = {};
    for (int i = 0; i < node.spec->inputs; ++i) {
        const OrtValue* value = nullptr;
        void* data = nullptr;
        if (OrtStatus* status = ort::input(node.api, context, i, &value)) return status;
        if (value == nullptr) return failure(node.api, ort::kInvalidArgument, *node.spec, "an input is missing.");
        if (OrtStatus* status = read_shape(node, value, &shapes[i])) return status;
        if (OrtStatus* status = ort::tensor_data(node.api, const_cast<OrtValue*>(value), &data)) return status;
        out->inputs[i] = data;
    }
    Shape result_shape = shapes[0];
    if (knows_channels(node.spec->formula)) {
        if (OrtStatus* status = channel_shape(node, shapes, &out->channels)) return status;
        if (node.spec->formula == Formula::kPositiveMean) {
            const size_t channels = out->channels.blocks * out->channels.channels;
            result_shape = {2, {shapes[0].sizes[0], static_cast<int64_t>(channels)}};
        }
    } else if (node.spec->inputs == 2 && !(shapes[1] == shapes[0])) {
        return wrong_shape(node, "R", shapes[1], shapes[0]);
    }
    OrtValue* result = nullptr;
    if (OrtStatus* status = ort::output(node.api, context, 0, result_shape.sizes, result_shape.rank, &result)) {
        return status;
    }
    out->count = result_shape.count(0, result_shape.rank);
    return ort::tensor_data(node.api, result, &out->output);
}

}  // namespace salu_zoo
