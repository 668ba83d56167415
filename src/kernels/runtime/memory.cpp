#include "runtime/memory.hpp"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <new>

namespace darter {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Smaller buffers do not wait for page tables. Sanitizers see past the end of a buffer only where
// it is an allocation of its own.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kLeastShared = kHugePage;
#else
constexpr size_t kLeastShared = 64 << 10;
#endif

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

std::shared_ptr<float> allocate(size_t bytes, size_t alignment) {
    bytes = round_up(bytes, alignment);
    auto* data = static_cast<float*>(std::aligned_alloc(alignment, bytes));
    if (!data) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return {data, std::free};
}

// Part of a huge page that the thread's buffers share; it is freed with the last of them.
std::shared_ptr<float> allocate_part(size_t bytes) {
    thread_local std::shared_ptr<float> page;
    thread_local size_t used = kHugePage;
    bytes = round_up(bytes, 64);
    if (used + bytes > kHugePage) {
        page.reset();  // before there is another one
        used = kHugePage;
        page = allocate(kHugePage, kHugePage);
        used = 0;
    }
    std::shared_ptr<float> part(page, page.get() + used / sizeof(float));
    used += bytes;
    return part;
}

}  // namespace

Buffer::Buffer(size_t floats) : size_(floats) {
    if (!floats) return;
    const size_t bytes = floats * sizeof(float);
    data_ = bytes >= kHugePage      ? allocate(bytes, kHugePage)
            : bytes >= kLeastShared ? allocate_part(bytes)
                                    : allocate(bytes, 64);
}

float* scratch(Scratch slot, size_t floats) {
    thread_local Buffer buffers[static_cast<int>(Scratch::count)];
    Buffer& buffer = buffers[static_cast<int>(slot)];
    if (buffer.size() < floats) {
        buffer = Buffer();  // free the old one first
        buffer = Buffer(std::bit_ceil(floats));  // grows a few times only
    }
    return buffer.data();
}

}  // namespace darter
