#include "runtime/memory.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace darter {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

Buffer::Buffer(size_t floats) : size_(floats) {
    if (!floats) return;
    size_t bytes = floats * sizeof(float);
    size_t alignment = bytes >= kHugePage ? kHugePage : 64;
    bytes = round_up(bytes, alignment);
    auto* data = static_cast<float*>(std::aligned_alloc(alignment, bytes));
    if (!data) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    data_.reset(data, std::free);
}

float* scratch(Scratch slot, size_t floats) {
    thread_local Buffer buffers[static_cast<int>(Scratch::count)];
    Buffer& buffer = buffers[static_cast<int>(slot)];
    if (buffer.size() < floats) {
        buffer = Buffer();  // free the old one first
        buffer = Buffer(floats);
    }
    return buffer.data();
}

}  // namespace darter
