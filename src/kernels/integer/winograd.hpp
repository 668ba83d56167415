// Convolutions of 3x3 filters on 8-bit integers by F(4x4, 3x3): the same sums, to the bit, by a quarter
// of the products, of 16 bits each. See integer/transforms.hpp. Filters of up to 6x6 are sums of such ones,
// three pixels apart; summed before they are transformed back, as if they were channels of their own. Of the
// 25 products of a 5x5 filter, 7.6 are left.
#pragma once
#include <cstdint>
#include <vector>

#include "integer/integer_spec.hpp"
#include "integer/packed.hpp"
#include "integer/tile.hpp"
#include "integer/transforms.hpp"
#include "net/step.hpp"

namespace darter {

class IntegerWinograd {
public:
    // Whether the window is one of these, and every sum is known to the bit.   w: (K, C, R, S).
    static bool computes(const IntegerSpec&, const int8_t* w);
    // Whether n pictures are likely less work than multiplied directly, where it computes the layer.
    static bool pays(const IntegerSpec&, int64_t n);

    IntegerWinograd(const IntegerSpec&, const int8_t* w, const IntegerKernels&);

    // Of the padded pictures: whole tiles and what their filters reach.
    int64_t in_h() const { return tiles_h_ * 4 + 3 * thirds_h_ - 1; }
    int64_t in_w() const { return tiles_w_ * 4 + 3 * thirds_w_ - 1; }

    // x: [picture][block][in_h][in_w][16].   finish: of the first filter.   residual: like y, or none.
    void run(const uint8_t* x, const Blocked& y, uint8_t* to, const uint8_t* residual,
             const IntegerFinish& finish) const;

    size_t weight_bytes() const { return weights_.bytes(); }

private:
    struct Third { int64_t h, w; };  // of a filter: 3x3 taps from tap (3 h, 3 w) on
    void find_thirds(const IntegerSpec&);
    void pack(const IntegerSpec&, const int8_t* w);
    void pack_block(const IntegerSpec&, const int8_t* w, const Third&, int64_t block, int64_t first_pair);
    void some_tiles(const uint8_t* x, int64_t first, int64_t last, const Blocked& y, uint8_t* to,
                    const uint8_t* residual, const IntegerFinish& finish) const;
    int64_t first_of_part(int64_t part) const { return part * blocks_ / parts_; }

    const IntegerKernels& kernels_;
    const int64_t x_channels_;        // of whole blocks
    const int64_t blocks_, parts_;    // of filters
    const int64_t tiles_h_, tiles_w_, thirds_h_, thirds_w_;
    std::vector<Third> thirds_;
    const int64_t channels_;          // all thirds'
    // Of each position: the pairs of channels whose weights are not all zeros, and those of positions before.
    int64_t first_pair_[whole::kPositions], pairs_[whole::kPositions], pairs_before_[whole::kPositions + 1];
    Packed<int16_t> weights_;  // [part][position][pair of channels][block][16][2]
};

}  // namespace darter
