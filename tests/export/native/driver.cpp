// The kernels without ONNX Runtime, case by case.
#include "protocol.h"

namespace {

void run_bytes(const Kernels& kernels, const Header& header) {
    const Formula formula = static_cast<Formula>(header.formula);
    char message[256];
    uint8_t* table = block<uint8_t>(static_cast<int64_t>(table_size(formula)));
    if (make_table(formula, header.attributes, table, message, sizeof message) != nullptr) give_up(message);
    uint8_t* x = read_block<uint8_t>(header.count);
    uint8_t* r = read_block<uint8_t>(header.second);
    uint8_t* y = block<uint8_t>(header.count);
    const size_t count = static_cast<size_t>(header.count);
    if (formula == Formula::kSaluAddSwalu) {
        lookup_pairs(x, r, y, count, table);
    } else {
        kernels.lookup(x, y, count, table);
    }
    std::free(table);
    std::free(x);
    std::free(r);
    write_block(y, header.count);
}

void run_floats(const Kernels& kernels, const Header& header) {
    const Formula formula = static_cast<Formula>(header.formula);
    float* x = read_block<float>(header.count);
    float* second = read_block<float>(header.second);
    float* third = read_block<float>(header.third);
    float* y = block<float>(header.results);
    const size_t count = static_cast<size_t>(header.results);
    if (formula == Formula::kFlesGate || formula == Formula::kPositiveMean) {
        const ChannelShape shape{static_cast<size_t>(header.blocks),        static_cast<size_t>(header.outer),
                                 static_cast<size_t>(header.channels),      static_cast<size_t>(header.inner),
                                 static_cast<size_t>(header.vertical_step), static_cast<size_t>(header.horizontal_step)};
        const size_t cuts[3] = {0, count / 3, count};
        for (int part = 0; part < 2; ++part) {
            if (formula == Formula::kFlesGate) {
                gate_range(kernels, shape, x, second, third, y, cuts[part], cuts[part + 1]);
            } else {
                positive_mean_range(kernels, shape, x, y, cuts[part], cuts[part + 1]);
            }
        }
    } else {
        char message[256];
        Unit units[2];
        if (make_units(formula, header.attributes, units, message, sizeof message) != nullptr) give_up(message);
        kernels.pointwise[header.formula](x, second, y, count, units);
    }
    std::free(x);
    std::free(second);
    std::free(third);
    write_block(y, header.results);
}

}  // namespace

int main() {
    const char* problem = nullptr;
    const Kernels* kernels = choose_kernels(&problem);
    if (kernels == nullptr) give_up(problem);
    std::fprintf(stderr, "%s\n", kernels->name);
    Header header;
    while (read(&header, sizeof header)) {
        header.quantised != 0 ? run_bytes(*kernels, header) : run_floats(*kernels, header);
    }
    return 0;
}
