// Convolutions of 3x3 filters on 8-bit integers by F(4x4, 3x3): the same sums, to the bit, by a quarter
// of the products, of 16 bits each. See integer/transforms.hpp.
#pragma once
#include <cstdint>

#include "integer/integer_spec.hpp"
#include "integer/packed.hpp"
#include "integer/tile.hpp"
#include "net/step.hpp"

namespace darter {

class IntegerWinograd {
public:
    // Whether the window is one of these, and every sum is known to the bit.   w: (K, C, 3, 3).
    static bool computes(const IntegerSpec&, const int8_t* w);
    // Whether n pictures are likely less work than multiplied directly, where it computes the layer.
    static bool pays(const IntegerSpec&, int64_t n);

    IntegerWinograd(const IntegerSpec&, const int8_t* w, const IntegerKernels&);

    // Of the padded pictures: whole tiles and what their filters reach.
    int64_t in_h() const { return tiles_h_ * 4 + 2; }
    int64_t in_w() const { return tiles_w_ * 4 + 2; }

    // x: [picture][block][in_h][in_w][16].   finish: of the first filter.   residual: like y, or none.
    void run(const uint8_t* x, const Blocked& y, uint8_t* to, const uint8_t* residual,
             const IntegerFinish& finish) const;

    size_t weight_bytes() const { return weights_.bytes(); }

private:
    void pack(const IntegerSpec&, const int8_t* w);
    void some_tiles(const uint8_t* x, int64_t first, int64_t last, const Blocked& y, uint8_t* to,
                    const uint8_t* residual, const IntegerFinish& finish) const;
    int64_t first_of_part(int64_t part) const { return part * blocks_ / parts_; }

    const IntegerKernels& kernels_;
    const int64_t channels_, blocks_, parts_;  // channels: of whole blocks.   parts: of filters
    const int64_t tiles_h_, tiles_w_;
    Packed<int16_t> weights_;  // [part][position][pair of channels][block][16][2]
};

}  // namespace darter
