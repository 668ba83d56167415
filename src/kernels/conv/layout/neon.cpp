#include "conv/layout/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {
namespace {

struct Square {
    static constexpr int side = 4;
    float32x4_t rows[side];

    void load(int row, const float* from, int count) {
        if (count == side) {
            rows[row] = vld1q_f32(from);
            return;
        }
        float part[side] = {};
        for (int i = 0; i < count; ++i) part[i] = from[i];
        rows[row] = vld1q_f32(part);
    }
    void store(int row, float* to, int count) const {
        if (count == side) return vst1q_f32(to, rows[row]);
        float part[side];
        vst1q_f32(part, rows[row]);
        for (int i = 0; i < count; ++i) to[i] = part[i];
    }
    void transpose() {
        const float32x4_t a = vzip1q_f32(rows[0], rows[2]), b = vzip2q_f32(rows[0], rows[2]);
        const float32x4_t c = vzip1q_f32(rows[1], rows[3]), d = vzip2q_f32(rows[1], rows[3]);
        rows[0] = vzip1q_f32(a, c), rows[1] = vzip2q_f32(a, c);
        rows[2] = vzip1q_f32(b, d), rows[3] = vzip2q_f32(b, d);
    }
};

}  // namespace

extern const LayoutKernels layout_kernels;
const LayoutKernels layout_kernels = layout::kernels<Square>();

}  // namespace darter::neon
