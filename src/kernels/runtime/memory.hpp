// Memory for kernels: aligned, on huge pages where it is large, kept between calls.
#pragma once
#include <cstddef>
#include <memory>

namespace darter {

// Floats on a 64-byte boundary. Copies share them; they are freed with the last one. Contents are not
// initialized.
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(size_t floats);
    // So many floats of another, from `first` on.
    Buffer(const Buffer& whole, size_t first, size_t floats)
        : data_(whole.data_, whole.data() + first), size_(floats) {}

    float* data() const { return data_.get(); }
    size_t size() const { return size_; }

private:
    std::shared_ptr<float> data_;
    size_t size_ = 0;
};

// Each thread keeps one growing buffer per slot: a second call with the same slot on the same
// thread invalidates the first. `worker` and `window` slots are for bodies of parallel_for, `caller` slots for
// what the calling thread shares with them.
enum class Scratch {
    worker_a, worker_b, window_in, window_out, caller_a, caller_b, layout_in, layout_out, gradient,
    lane,
    count
};
float* scratch(Scratch slot, size_t floats);

}  // namespace darter
