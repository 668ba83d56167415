#include "conv/layout/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {
namespace {

// The full mask costs nothing; it avoids a false warning of GCC 12 about shuffles without one.
constexpr __mmask16 kAll = 0xffff;

__mmask16 first_lanes(int count) { return static_cast<__mmask16>((1u << count) - 1); }

struct Square {
    static constexpr int side = 16;
    __m512 rows[side];

    void load(int row, const float* from, int count) {
        rows[row] = _mm512_maskz_loadu_ps(first_lanes(count), from);
    }
    void store(int row, float* to, int count) const {
        _mm512_mask_storeu_ps(to, first_lanes(count), rows[row]);
    }
    void transpose() {
        __m512 t[side];
#pragma GCC unroll 8
        for (int i = 0; i < side; i += 2) {  // pairs of rows, of each quarter
            t[i] = _mm512_maskz_unpacklo_ps(kAll, rows[i], rows[i + 1]);
            t[i + 1] = _mm512_maskz_unpackhi_ps(kAll, rows[i], rows[i + 1]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < side; i += 4) {  // columns of four rows, of each quarter
            rows[i] = _mm512_maskz_shuffle_ps(kAll, t[i], t[i + 2], 0x44);
            rows[i + 1] = _mm512_maskz_shuffle_ps(kAll, t[i], t[i + 2], 0xee);
            rows[i + 2] = _mm512_maskz_shuffle_ps(kAll, t[i + 1], t[i + 3], 0x44);
            rows[i + 3] = _mm512_maskz_shuffle_ps(kAll, t[i + 1], t[i + 3], 0xee);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {  // then squares of four quarters
            const __m512 a = _mm512_maskz_shuffle_f32x4(kAll, rows[i], rows[i + 4], 0x88);
            const __m512 b = _mm512_maskz_shuffle_f32x4(kAll, rows[i], rows[i + 4], 0xdd);
            const __m512 c = _mm512_maskz_shuffle_f32x4(kAll, rows[i + 8], rows[i + 12], 0x88);
            const __m512 d = _mm512_maskz_shuffle_f32x4(kAll, rows[i + 8], rows[i + 12], 0xdd);
            t[i] = _mm512_maskz_shuffle_f32x4(kAll, a, c, 0x88);
            t[i + 8] = _mm512_maskz_shuffle_f32x4(kAll, a, c, 0xdd);
            t[i + 4] = _mm512_maskz_shuffle_f32x4(kAll, b, d, 0x88);
            t[i + 12] = _mm512_maskz_shuffle_f32x4(kAll, b, d, 0xdd);
        }
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) rows[i] = t[i];
    }
};

}  // namespace

extern const LayoutKernels layout_kernels;
const LayoutKernels layout_kernels = layout::kernels<Square>();

}  // namespace darter::avx512
