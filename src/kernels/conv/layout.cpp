#include <algorithm>

#include "conv/convolution.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kPixels = 1024;  // pixels that one task moves

// Calls body(image, block, channels in the block, first pixel, last pixel) on all threads.
template <typename Body>
void each_block(int64_t n, int64_t c, int64_t pixels, const Body& body) {
    int64_t blocks = blocks_of(c), pieces = ceil_div(pixels, kPixels);
    parallel_for(n * blocks * pieces, [&](size_t index) {
        int64_t piece = index % pieces, block = index / pieces % blocks;
        int64_t channels = std::min<int64_t>(kBlock, c - block * kBlock);
        body(index / pieces / blocks, block, channels, piece * kPixels,
             std::min(pixels, (piece + 1) * kPixels));
    });
}

}  // namespace

void to_blocked(const float* plain, float* blocked, int64_t n, int64_t c, int64_t pixels) {
    each_block(n, c, pixels, [&](int64_t image, int64_t block, int64_t channels, int64_t first,
                                 int64_t last) {
        const float* from = plain + (image * c + block * kBlock) * pixels;
        float* to = blocked + (image * blocks_of(c) + block) * pixels * kBlock;
        if (channels == kBlock) {
            for (int64_t pixel = first; pixel < last; ++pixel)
                for (int64_t i = 0; i < kBlock; ++i)
                    to[pixel * kBlock + i] = from[i * pixels + pixel];
            return;
        }
        for (int64_t pixel = first; pixel < last; ++pixel)
            for (int64_t i = 0; i < kBlock; ++i)
                to[pixel * kBlock + i] = i < channels ? from[i * pixels + pixel] : 0.0f;
    });
}

void from_blocked(const float* blocked, float* plain, int64_t n, int64_t c, int64_t pixels) {
    each_block(n, c, pixels, [&](int64_t image, int64_t block, int64_t channels, int64_t first,
                                 int64_t last) {
        const float* from = blocked + (image * blocks_of(c) + block) * pixels * kBlock;
        float* to = plain + (image * c + block * kBlock) * pixels;
        for (int64_t i = 0; i < channels; ++i)
            for (int64_t pixel = first; pixel < last; ++pixel)
                to[i * pixels + pixel] = from[pixel * kBlock + i];
    });
}

}  // namespace darter
