// Four filters' words at a time. Bits are counted by looking up half bytes (Muła et al.,
// arXiv:1611.07612); counts of bytes are summed before they could overflow.
#include <immintrin.h>

#include "binary/kernel.hpp"

namespace darter::avx2 {
namespace {

constexpr int kPixels = 4;
constexpr int kFewAdded = 31;  // counts of 8 at most in a byte

[[gnu::always_inline]] inline __m256i bits_of_bytes(__m256i v) {
    const __m256i table =
        _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(
        _mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
        _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

template <int Pixels>
void count_four(const BinaryTile& t, const uint64_t* w, int width, int first) {
    __m256i total[Pixels], bytes[Pixels];
    for (int p = 0; p < Pixels; ++p) total[p] = bytes[p] = _mm256_setzero_si256();
    int added = 0;
    for (int64_t tap = 0; tap < t.taps; ++tap)
        for (int64_t word = 0; word < t.words; ++word, w += width) {
            const __m256i filters =
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + first));
            for (int p = 0; p < Pixels; ++p) {
                const uint64_t x = t.x[p * t.pixel_step + t.offsets[tap] + word];
                const __m256i all = _mm256_set1_epi64x(static_cast<int64_t>(x));
                bytes[p] = _mm256_add_epi8(bytes[p], bits_of_bytes(_mm256_xor_si256(all, filters)));
            }
            if (++added < kFewAdded) continue;
            added = 0;
            for (int p = 0; p < Pixels; ++p) {
                total[p] = _mm256_add_epi64(total[p],
                                            _mm256_sad_epu8(bytes[p], _mm256_setzero_si256()));
                bytes[p] = _mm256_setzero_si256();
            }
        }
    for (int p = 0; p < Pixels; ++p) {
        alignas(32) int64_t lanes[4];
        _mm256_store_si256(
            reinterpret_cast<__m256i*>(lanes),
            _mm256_add_epi64(total[p], _mm256_sad_epu8(bytes[p], _mm256_setzero_si256())));
        for (int i = 0; i < 4; ++i)
            t.counts[p * width + first + i] = static_cast<int32_t>(lanes[i]);
    }
}

void count(const BinaryTile& t) {
    const int width = t.blocks * kBinaryFilters;
    for (int first = 0; first < width; first += 4) {
        switch (t.pixels) {
            case 1: count_four<1>(t, t.w, width, first); break;
            case 2: count_four<2>(t, t.w, width, first); break;
            case 3: count_four<3>(t, t.w, width, first); break;
            default: count_four<kPixels>(t, t.w, width, first);
        }
    }
}

uint16_t pack(const float* x, const float* thresholds) {
    const int low = _mm256_movemask_ps(
        _mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(thresholds), _CMP_GE_OQ));
    const int high = _mm256_movemask_ps(
        _mm256_cmp_ps(_mm256_loadu_ps(x + 8), _mm256_loadu_ps(thresholds + 8), _CMP_GE_OQ));
    return static_cast<uint16_t>(low | high << 8);
}

}  // namespace

extern const BinaryKernels binary_kernels;
const BinaryKernels binary_kernels{kPixels, count, finish_binary, compare_plainly, pack};

}  // namespace darter::avx2
