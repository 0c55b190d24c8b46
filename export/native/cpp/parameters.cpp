// From the attributes of a node to what its kernel works with: units in float32, tables of uint8.
#include <cmath>
#include <cstdio>

#include "kernels.h"

namespace salu_zoo {
namespace {

constexpr double kRootTwoOverPi = 0.79788456080286535588;
constexpr double kCubic = 0.044715;
// Bounds of sqrt(ab) and sqrt(a/b): between them no product of the kernels over- or underflows before it saturates.
constexpr double kLeast = 1e-30, kMost = 1e30;

double unit_double(double z, double a, double b) {
    const double u = std::sqrt(a * b) * z;
    return std::sqrt(a / b) * (u / std::sqrt(1.0 + u * u));
}

double gate_double(double z, double x, double a, double b) { return x / 2.0 * (1.0 + unit_double(z, a, b)); }

double value_of(Formula formula, const Attributes& at, double x, double r) {
    switch (formula) {
        case Formula::kSalu:
            return unit_double(x, at.a[0], at.b[0]);
        case Formula::kSwalu:
            return gate_double(x, x, at.a[0], at.b[0]);
        case Formula::kGalu:
            return gate_double(kRootTwoOverPi * x * (1.0 + kCubic * x * x), x, at.a[0], at.b[0]);
        default: {  // kSaluSwalu has r = 0
            const double y = unit_double(x, at.a[0], at.b[0]) + r;
            return gate_double(y, y, at.a[1], at.b[1]);
        }
    }
}

double dequantised(int q, const Attributes& at, int which) {
    return static_cast<double>(q - at.zero_point[which]) * at.scale[which];
}

uint8_t quantised(double y, const Attributes& at) {
    const double q = std::nearbyint(y / at.scale[2]) + static_cast<double>(at.zero_point[2]);
    return static_cast<uint8_t>(q <= 0.0 ? 0.0 : q >= 255.0 ? 255.0 : q);
}

bool positive(double value) { return value > 0.0 && std::isfinite(value); }

const char* check_pair(const Attributes& at, int pair, char* message, size_t size) {
    static const char* const names[2][2] = {{"a", "b"}, {"c", "d"}};
    const double values[2] = {at.a[pair], at.b[pair]};
    for (int i = 0; i < 2; ++i) {
        if (!positive(values[i])) {
            std::snprintf(message, size, "%s = %g; it must be positive and finite.", names[pair][i], values[i]);
            return message;
        }
    }
    const double scale = std::sqrt(values[0] * values[1]), limit = std::sqrt(values[0] / values[1]);
    if (scale < kLeast || scale > kMost || limit < kLeast || limit > kMost) {
        std::snprintf(message, size, "%s = %g and %s = %g; sqrt(%s*%s) and sqrt(%s/%s) must be in 1e-30..1e30.",
                      names[pair][0], values[0], names[pair][1], values[1], names[pair][0], names[pair][1],
                      names[pair][0], names[pair][1]);
        return message;
    }
    return nullptr;
}

Unit unit_of(double a, double b, bool gate, double factor) {
    const double half = gate ? 0.5 : 1.0, limit = std::sqrt(a / b);
    const bool level = static_cast<float>(limit) == 1.0f;
    return {static_cast<float>(a * half * factor), static_cast<float>(std::sqrt(a * b) * factor),
            static_cast<float>(limit * half), level ? -3.4028234663852886e38f : -HUGE_VALF};
}

}  // namespace

int pairs_of(Formula formula) {
    switch (formula) {
        case Formula::kSalu:
        case Formula::kSwalu:
        case Formula::kGalu:
            return 1;
        case Formula::kSaluSwalu:
        case Formula::kSaluAddSwalu:
            return 2;
        default:
            return 0;
    }
}

const char* make_units(Formula formula, const Attributes& at, Unit* units, char* message, size_t size) {
    const int pairs = pairs_of(formula);
    for (int pair = 0; pair < pairs; ++pair) {
        if (check_pair(at, pair, message, size) != nullptr) return message;
        const bool gate = pair == pairs - 1 && formula != Formula::kSalu;
        units[pair] = unit_of(at.a[pair], at.b[pair], gate, formula == Formula::kGalu ? kRootTwoOverPi : 1.0);
    }
    return nullptr;
}

size_t table_size(Formula formula) { return formula == Formula::kSaluAddSwalu ? 65536 : 256; }

const char* make_table(Formula formula, const Attributes& at, uint8_t* table, char* message, size_t size) {
    static const char* const names[3] = {"x", "r", "y"};
    for (int which = 0; which < 3; ++which) {
        if (which == 1 && formula != Formula::kSaluAddSwalu) continue;
        if (!positive(at.scale[which])) {
            std::snprintf(message, size, "%s_scale = %g; it must be positive and finite.", names[which],
                          at.scale[which]);
            return message;
        }
        if (at.zero_point[which] < 0 || at.zero_point[which] > 255) {
            std::snprintf(message, size, "%s_zero_point = %lld; it must be in 0..255.", names[which],
                          static_cast<long long>(at.zero_point[which]));
            return message;
        }
    }
    Unit unused[2];
    if (make_units(formula, at, unused, message, size) != nullptr) return message;
    const size_t rows = table_size(formula) / 256;
    for (int q = 0; q < 256; ++q) {
        const double x = dequantised(q, at, 0);
        for (size_t p = 0; p < rows; ++p) {
            const double r = rows == 1 ? 0.0 : dequantised(static_cast<int>(p), at, 1);
            table[static_cast<size_t>(q) * rows + p] = quantised(value_of(formula, at, x, r), at);
        }
    }
    return nullptr;
}

}  // namespace salu_zoo
