#include "binary/kernel.hpp"

namespace darter::scalar {
namespace {

void count(const BinaryTile& t) {
    const int width = t.blocks * kBinaryFilters;
    for (int pixel = 0; pixel < t.pixels; ++pixel)
        for (int filter = 0; filter < width; ++filter) {
            const uint64_t* w = t.w + filter;
            int32_t differing = 0;
            for (int64_t tap = 0; tap < t.taps; ++tap) {
                const uint64_t* x = t.x + pixel * t.pixel_step + t.offsets[tap];
                for (int64_t word = 0; word < t.words; ++word, w += width)
                    differing += __builtin_popcountll(x[word] ^ *w);
            }
            t.counts[pixel * width + filter] = differing;
        }
}

}  // namespace

extern const BinaryKernels binary_kernels;
const BinaryKernels binary_kernels{4, count, finish_binary, compare_plainly, pack_plainly};

}  // namespace darter::scalar
