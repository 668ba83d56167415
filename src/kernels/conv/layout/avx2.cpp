#include "conv/layout/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {
namespace {

__m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

struct Square {
    static constexpr int side = 8;
    __m256 rows[side];

    void load(int row, const float* from, int count) {
        rows[row] = count == side ? _mm256_loadu_ps(from)
                                  : _mm256_maskload_ps(from, first_lanes(count));
    }
    void store(int row, float* to, int count) const {
        count == side ? _mm256_storeu_ps(to, rows[row])
                      : _mm256_maskstore_ps(to, first_lanes(count), rows[row]);
    }
    void transpose() {
        __m256 t[side];
#pragma GCC unroll 4
        for (int i = 0; i < side; i += 2) {  // pairs of rows: 0 0 1 1 | 2 2 3 3 of each half
            t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        __m256 u[side];
#pragma GCC unroll 2
        for (int i = 0; i < side; i += 4) {  // columns of four rows, of each half
            u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
            u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
            u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
            u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            rows[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
            rows[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
        }
    }
};

}  // namespace

extern const LayoutKernels layout_kernels;
const LayoutKernels layout_kernels = layout::kernels<Square>();

}  // namespace darter::avx2
