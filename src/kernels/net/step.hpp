// One operation of a plan, ready to run: its shapes, its weights, its kernel.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "conv/convolution.hpp"
#include "element.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {

// The tensors that a step reads, in the order of its description: bytes, viewed as the type that the
// layout of each says; float32 where it says nothing.
class Reads {
public:
    explicit Reads(const std::byte* const* data) : data_(data) {}
    const float* operator[](size_t i) const { return as<float>(i); }
    template <class T>
    const T* as(size_t i) const { return reinterpret_cast<const T*>(data_[i]); }

private:
    const std::byte* const* const data_;
};

// Those that it writes.
class Writes {
public:
    explicit Writes(std::byte* const* data) : data_(data) {}
    float* operator[](size_t i) const { return as<float>(i); }
    template <class T>
    T* as(size_t i) const { return reinterpret_cast<T*>(data_[i]); }

private:
    std::byte* const* const data_;
};

class Step {
public:
    virtual ~Step() = default;

    virtual void run(const Reads& x, const Writes& y) const = 0;
    virtual size_t weight_bytes() const { return 0; }
};

// A blocked array (N, ceil(C / 16), H, W, 16), or a slice of the blocks of a larger one. Counts and
// places are of numbers, whatever they are kept as.
struct Blocked {
    int64_t n, channels, h, w;
    int64_t of_blocks;  // blocks of the array that it is a slice of; its own where it is whole
    Element element = Element::float32;

    int64_t blocks() const { return blocks_of(channels); }
    int64_t pixels() const { return h * w; }
    int64_t plane() const { return h * w * kBlock; }
    int64_t image() const { return of_blocks * plane(); }
    int64_t planes() const { return n * blocks(); }
    // Where plane i of all images begins.
    int64_t at(int64_t i) const { return i / blocks() * image() + i % blocks() * plane(); }
};

// Calls body(first, last) for pieces of [0, count) on all threads; on the caller alone where
// there is so little to do that waking others takes longer. `floats`: read and written per index.
template <typename Body>
void each_piece(int64_t count, int64_t floats, const Body& body) {
    constexpr int64_t kAlone = 8 * 1024, kLeast = 4 * 1024;
    if (count * floats <= kAlone) return body(int64_t{0}, count);
    int64_t pieces = std::clamp<int64_t>(count * floats / kLeast, 1, 4 * threads());
    pieces = std::min(pieces, count);
    parallel_for(pieces, [&](size_t piece) {
        int64_t i = static_cast<int64_t>(piece);
        body(i * count / pieces, (i + 1) * count / pieces);
    });
}

}  // namespace darter
