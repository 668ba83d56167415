// Convolutions of unsigned by signed integers of 8 bits: sums of 32 bits, exact, then scaled and
// rounded to unsigned integers of 8 bits again, or float32. Arrays are blocked (see step.hpp), a
// block's 16 channels in 16 bytes.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "conv/convolution.hpp"
#include "integer/integer_spec.hpp"
#include "integer/packed.hpp"
#include "integer/tile.hpp"
#include "integer/winograd.hpp"
#include "net/step.hpp"

namespace darter {

const IntegerKernels& integer_kernels();  // of the active instruction set

// What follows the sums: see IntegerFinish. scale: per filter. zero, low, high: of y, whole numbers.
struct IntegerAfter {
    std::vector<float> scale;
    float low, high, zero;
    bool to_float;
};

// A residual, and what is rounded before it is added.
struct IntegerResidual {
    float own, other, fixed, low, high;  // see IntegerFinish
    bool own_first;
};

// x / step within [low, high], rounded, plus zero.
struct IntegerRounding {
    float step, low, high, zero;
};

enum class IntegerAlgorithm { direct, winograd };

// What is likely faster for n pictures.
IntegerAlgorithm integer_algorithm(const IntegerSpec&, int64_t n);

// One layer for any number of pictures. Fixed to the instruction set that is active when it is made.
class IntegerConvolution {
public:
    // w: (K, C / groups, R, S).   bias: (K,), in units of the sums.   x_zero: what pads are, and
    // what x's numbers are counted from. What winograd does not compute is computed directly.
    IntegerConvolution(const IntegerSpec&, const int8_t* w, const int32_t* bias, uint8_t x_zero,
                       IntegerAfter, std::optional<IntegerResidual>,
                       IntegerAlgorithm);

    void run(const Blocked& x, const uint8_t* from, const Blocked& y, void* to,
             const uint8_t* residual) const;

    // Of n pictures of numbers (N, C, H, W), that are rounded first: where `rounds`.
    void run_rounded(int64_t n, const float* from, const IntegerRounding&, const Blocked& y, void* to,
                     const uint8_t* residual) const;
    bool rounds() const { return few_; }

    const IntegerSpec spec;
    IntegerAlgorithm algorithm() const {
        return winograd_ ? IntegerAlgorithm::winograd : IntegerAlgorithm::direct;
    }
    bool to_float() const { return after_.to_float; }
    bool adds() const { return residual_.has_value(); }
    size_t weight_bytes() const;

private:
    void pack(const int8_t* w);
    std::pair<int64_t, int64_t> place(int64_t c, int64_t r, int64_t s) const;
    void pack_depthwise(const int8_t* w);
    void find_places();
    void band_of(const uint8_t* plane, int64_t first, int64_t rows, uint8_t* to) const;
    void pad(const uint8_t* plane, int64_t h, int64_t width, uint8_t* to) const;
    const uint8_t* padded(const Blocked& x, const uint8_t* from, int64_t height, int64_t width) const;
    const uint8_t* rounded(int64_t n, const float* from, const IntegerRounding&) const;
    uint8_t* room(int64_t bytes) const;
    struct Pictures {
        const uint8_t* x;
        int64_t image;          // bytes
        const int64_t* places;  // of the pixels of each
    };
    void multiply(const Pictures&, const Blocked& y, void* to, const uint8_t* residual) const;
    void multiply_rows(const Pictures&, const Blocked& y, void* to, const uint8_t* residual) const;
    void each_alone(const Blocked& x, const uint8_t* from, const Blocked& y, void* to,
                    const uint8_t* residual) const;
    int64_t first_of_part(int64_t part) const { return part * blocks_ / parts_; }
    int64_t in_h() const { return spec.h + spec.pad_top + spec.pad_bottom; }
    int64_t in_w() const { return spec.w + spec.pad_left + spec.pad_right; }
    // Of few channels, the taps of a row lie side by side, where they are those of neighbors.
    bool side_by_side() const { return few_ && spec.dilation_w == 1; }
    int64_t pixel_bytes() const { return side_by_side() ? spec.c : few_ ? kIntegerGroup : kIntegerBlock; }
    int64_t x_blocks() const { return few_ ? 1 : blocks_of(spec.c); }
    int64_t x_plane() const { return in_h() * in_w() * pixel_bytes(); }
    int64_t four_bytes() const { return spec.r * ceil_div(spec.s, int64_t{4}) * 4 * kIntegerBlock; }
    bool copies() const { return few_ || in_h() != spec.h || in_w() != spec.w; }
    IntegerFinish finish(int64_t first_filter) const;

    const IntegerKernels& kernels_;
    const bool few_;  // so few channels that a pixel's lie in one group
    const int64_t blocks_, parts_;  // of filters; a part is a tile's
    const uint8_t x_zero_;
    const IntegerAfter after_;
    const std::optional<IntegerResidual> residual_;
    std::optional<IntegerWinograd> winograd_;
    Packed<int8_t> weights_;          // [part][step][group][block][16][4]
    Packed<int16_t> depthwise_;       // [block][tap][16]
    Packed<int8_t> fours_;            // [block][row][4 columns][16][4]
    std::vector<int32_t> bias_;       // of all blocks' filters
    std::vector<float> scale_;
    std::vector<int64_t> places_, offsets_;
    const int64_t groups_;  // of a run of taps
    bool small_ = false;  // see IntegerFinish
};

}  // namespace darter
