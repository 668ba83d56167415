// Convolutions of numbers that are +1 or -1, one bit each (1 means +1): a sum of products is the number of
// taps less twice the number of differing bits. Source: Rastegari et al., arXiv:1603.05279.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "binary/tile.hpp"
#include "conv/convolution.hpp"
#include "net/step.hpp"

namespace darter {

constexpr int64_t kWordBits = 64;
inline int64_t words_of(int64_t channels) { return ceil_div(channels, kWordBits); }

// Packed arrays are (N, H, W, words_of(C)) of uint64_t; bits past C are 0.
inline int64_t packed_words(int64_t n, int64_t c, int64_t h, int64_t w) {
    return n * h * w * words_of(c);
}

const BinaryKernels& binary_kernels();  // of the active instruction set

// Of one picture.
struct BinarySpec {
    int64_t c, h, w, k, r, s;
    int64_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w;

    int64_t out_h() const {
        return (h + pad_top + pad_bottom - (r - 1) * dilation_h - 1) / stride_h + 1;
    }
    int64_t out_w() const {
        return (w + pad_left + pad_right - (s - 1) * dilation_w - 1) / stride_w + 1;
    }
};

// What follows the sums, per filter; see BinaryFinish.
struct BinaryAfter {
    const float *scale, *bias, *slope, *shift;
};

// One layer for any number of pictures. Padding is zeros: taps outside of the picture add nothing.
class BinaryConvolution {
public:
    // w: (K, C, R, S), of which the signs count (0 is +1).
    BinaryConvolution(const BinarySpec&, const float* w, const BinaryAfter&);

    // Whether outputs are bits: scale * sum + bias >= threshold, per filter; no slope, no shift.
    void compare_with(const float* thresholds);
    bool gives_bits() const { return !limits_.empty(); }

    // y: blocked, y_blocks of them in an image's array. residual: of y's form, whole; or null.
    void run(int64_t n, const uint64_t* x, const float* residual, float* y, int64_t y_blocks) const;
    void run(int64_t n, const uint64_t* x, uint64_t* y) const;

    const BinarySpec spec;
    size_t weight_bytes() const { return weights_.size() * sizeof(uint64_t); }

private:
    template <typename Emit>
    void each_pixel(int64_t n, const uint64_t* x, const Emit& emit) const;
    void pack_weights(const float* w);
    void find_borders(const float* w);
    const uint64_t* padded(int64_t n, const uint64_t* x) const;
    int64_t in_h() const { return spec.h + spec.pad_top + spec.pad_bottom; }
    int64_t in_w() const { return spec.w + spec.pad_left + spec.pad_right; }
    int64_t border(int64_t row, int64_t column) const {
        return row_kind_[row] * column_kinds_ + column_kind_[column];
    }
    // A filter of negative scale has its signs turned, and its scale: y then falls with the count.
    bool is_one(int64_t k, float weight) const { return (weight >= 0) != flipped_[k]; }

    int64_t words_, blocks_;
    std::vector<bool> flipped_;
    std::vector<uint64_t> weights_;        // [pair of blocks][tap][word][filter]
    std::vector<float> scale_, bias_, slope_, shift_;  // of all blocks' filters
    std::vector<int32_t> base_;            // [kind of border][filter]: taps inside, and a correction
    std::vector<int32_t> limits_;          // likewise: the largest count that gives a 1
    std::vector<int64_t> row_kind_, column_kind_;  // of each output row and column
    int64_t column_kinds_ = 0;
};

// A blocked array to bits: x >= threshold, per channel.
void pack_bits(const Blocked& x, const float* values, const float* thresholds, uint64_t* bits);

}  // namespace darter
