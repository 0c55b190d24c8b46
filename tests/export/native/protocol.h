// How the drivers are fed: a header, then the arrays of a case, on standard input; results go to standard output. Every
// array has a block of its own, of exactly its size, so that a sanitizer sees an access beside it.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "kernels.h"

using namespace salu_zoo;

namespace {

struct Header {
    int64_t formula, quantised;
    Attributes attributes;
    int64_t count, blocks, outer, channels, inner, vertical_step, horizontal_step;
    int64_t second, third, results;  // sizes of inputs 2 and 3 and of the output
};

[[noreturn]] void give_up(const char* text) {
    std::fprintf(stderr, "%s\n", text);
    std::exit(2);
}

bool read(void* to, size_t size) { return std::fread(to, 1, size, stdin) == size; }

template <class T>
T* block(int64_t count) {
    T* data = static_cast<T*>(std::malloc(static_cast<size_t>(count) * sizeof(T)));
    if (count > 0 && data == nullptr) give_up("out of memory");
    return data;
}

template <class T>
T* read_block(int64_t count) {
    T* data = block<T>(count);
    if (!read(data, static_cast<size_t>(count) * sizeof(T))) give_up("truncated input");
    return data;
}

template <class T>
void write_block(T* data, int64_t count) {
    std::fwrite(data, sizeof(T), static_cast<size_t>(count), stdout);
    std::free(data);
}

}  // namespace
