// Eight filters' words at a time, two in a register. NEON counts the bits of bytes; counts of bytes are
// summed before they could overflow.
#include <arm_neon.h>

#include "binary/kernel.hpp"

namespace darter::neon {
namespace {

constexpr int kPixels = 4;
constexpr int kParts = 4;       // registers of filters: 16 sums, 4 of filters and 1 of x in 32
constexpr int kFewAdded = 31;   // counts of 8 at most in a byte

template <int Pixels>
void count_eight(const BinaryTile& t, const uint64_t* w, int width, int first) {
    uint8x16_t bytes[Pixels][kParts] = {};
    uint64x2_t total[Pixels][kParts] = {};
    auto sum_bytes = [&] {
        for (int p = 0; p < Pixels; ++p)
            for (int j = 0; j < kParts; ++j) {
                total[p][j] = vpadalq_u32(total[p][j], vpaddlq_u16(vpaddlq_u8(bytes[p][j])));
                bytes[p][j] = vdupq_n_u8(0);
            }
    };
    int added = 0;
    for (int64_t tap = 0; tap < t.taps; ++tap)
        for (int64_t word = 0; word < t.words; ++word, w += width) {
            const uint64_t* x = t.x + t.offsets[tap] + word;
            uint64x2_t filters[kParts];
            for (int j = 0; j < kParts; ++j) filters[j] = vld1q_u64(w + first + 2 * j);
            for (int p = 0; p < Pixels; ++p) {
                const uint64x2_t all = vdupq_n_u64(x[p * t.pixel_step]);
                for (int j = 0; j < kParts; ++j)
                    bytes[p][j] = vaddq_u8(
                        bytes[p][j], vcntq_u8(vreinterpretq_u8_u64(veorq_u64(all, filters[j]))));
            }
            if (++added < kFewAdded) continue;
            added = 0;
            sum_bytes();
        }
    sum_bytes();
    for (int p = 0; p < Pixels; ++p)
        for (int j = 0; j < kParts; ++j)
            vst1_s32(t.counts + p * width + first + 2 * j,
                     vreinterpret_s32_u32(vmovn_u64(total[p][j])));
}

void count(const BinaryTile& t) {
    const int width = t.blocks * kBinaryFilters;
    for (int first = 0; first < width; first += 2 * kParts) {
        switch (t.pixels) {
            case 1: count_eight<1>(t, t.w, width, first); break;
            case 2: count_eight<2>(t, t.w, width, first); break;
            case 3: count_eight<3>(t, t.w, width, first); break;
            default: count_eight<kPixels>(t, t.w, width, first);
        }
    }
}

}  // namespace

extern const BinaryKernels binary_kernels;
const BinaryKernels binary_kernels{kPixels, count, finish_binary, compare_plainly, pack_plainly};

}  // namespace darter::neon
