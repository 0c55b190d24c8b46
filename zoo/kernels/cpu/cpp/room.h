// Room for numbers, zeros at first, without the C++ runtime: a library that needs none loads wherever a C library is.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace salu_zoo {

template <class T>
class Room {
public:
    explicit Room(int64_t count)
        : numbers_(static_cast<T*>(std::calloc(static_cast<size_t>(count > 0 ? count : 1), sizeof(T)))) {
        if (numbers_ == nullptr) std::abort();
    }
    ~Room() { std::free(numbers_); }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    T* get() const { return numbers_; }
    T& operator[](int64_t i) const { return numbers_[i]; }

private:
    T* numbers_;
};

}  // namespace salu_zoo
