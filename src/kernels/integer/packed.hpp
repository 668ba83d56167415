// Filters as kernels read them.
#pragma once
#include <cstdint>
#include <cstring>

#include "runtime/memory.hpp"

namespace darter {

// Numbers that begin as zeros, in whole cache lines, on huge pages where they are many.
template <class T>
class Packed {
public:
    Packed() = default;
    explicit Packed(int64_t size) : size_(size), buffer_((size * sizeof(T) + sizeof(float) - 1) / sizeof(float)) {
        if (size) std::memset(buffer_.data(), 0, bytes());
    }
    T* data() { return reinterpret_cast<T*>(buffer_.data()); }
    const T* data() const { return reinterpret_cast<const T*>(buffer_.data()); }
    T& operator[](int64_t i) { return data()[i]; }
    int64_t size() const { return size_; }
    size_t bytes() const { return size_ * sizeof(T); }

private:
    int64_t size_ = 0;
    Buffer buffer_;
};

}  // namespace darter
