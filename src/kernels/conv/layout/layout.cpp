#include "conv/layout/layout.hpp"

#include <algorithm>

#include "conv/convolution.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const LayoutKernels layout_kernels; }
namespace avx2 { extern const LayoutKernels layout_kernels; }
namespace neon { extern const LayoutKernels layout_kernels; }
namespace avx512 { extern const LayoutKernels layout_kernels; }

namespace {

constexpr Dispatch<const LayoutKernels*> kKernels{EVERY_ISA(layout_kernels)};

}  // namespace

const LayoutKernels& layout_kernels() { return *kKernels.active(); }

namespace {

constexpr int64_t kPixels = 1024;  // pixels that one task moves

// Calls body(first float in the planes, in the blocks, size) on all threads.
template <typename Body>
void each_block(int64_t n, int64_t c, int64_t pixels, const Body& body) {
    int64_t blocks = blocks_of(c), pieces = ceil_div(pixels, kPixels);
    parallel_for(n * blocks * pieces, [&](size_t index) {
        int64_t first = index % pieces * kPixels, block = index / pieces % blocks;
        int64_t image = index / pieces / blocks;
        body((image * c + block * kBlock) * pixels + first,
             ((image * blocks + block) * pixels + first) * kBlock,
             BlockOfPlanes{.plane = pixels,
                           .channels = std::min<int64_t>(kBlock, c - block * kBlock),
                           .pixels = std::min(kPixels, pixels - first),
                           .ahead = 0});
    });
}

}  // namespace

void to_blocked(const float* plain, float* blocked, int64_t n, int64_t c, int64_t pixels) {
    const LayoutKernels& kernels = layout_kernels();
    each_block(n, c, pixels, [&](int64_t planes, int64_t block, const BlockOfPlanes& size) {
        kernels.to_block(plain + planes, blocked + block, size);
    });
}

void from_blocked(const float* blocked, float* plain, int64_t n, int64_t c, int64_t pixels) {
    const LayoutKernels& kernels = layout_kernels();
    each_block(n, c, pixels, [&](int64_t planes, int64_t block, const BlockOfPlanes& size) {
        kernels.from_block(blocked + block, plain + planes, size);
    });
}

}  // namespace darter
