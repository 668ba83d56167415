// One convolution layer: its shape, its borders, and the prepared form that runs it.
//
// Arrays between layers are blocked: (N, ceil(C / 16), H, W, 16), missing channels are 0. So the 16
// channels of one pixel are one AVX-512 register, two of AVX2.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "activation/activation.hpp"
#include "bfloat16/arrays.hpp"
#include "element.hpp"
#include "product/operands.hpp"
#include "product/tiling.hpp"
#include "runtime/memory.hpp"

namespace darter {

inline int64_t blocks_of(int64_t channels) { return ceil_div(channels, kBlock); }

struct ConvSpec {
    int64_t n, c, h, w;  // input
    int64_t k, r, s;     // filters, filter height and width; each sees c / groups channels
    int64_t stride_h, stride_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t dilation_h, dilation_w;
    int64_t groups;
    // Channel blocks of the blocked arrays that x and y are slices of; 0 where they are whole.
    int64_t x_blocks = 0, y_blocks = 0;

    int64_t out_h() const {
        return (h + pad_top + pad_bottom - (r - 1) * dilation_h - 1) / stride_h + 1;
    }
    int64_t out_w() const {
        return (w + pad_left + pad_right - (s - 1) * dilation_w - 1) / stride_w + 1;
    }
    // Floats between images of blocked arrays.
    int64_t x_image() const { return (x_blocks ? x_blocks : blocks_of(c)) * h * w * kBlock; }
    int64_t y_image() const {
        return (y_blocks ? y_blocks : blocks_of(k)) * out_h() * out_w() * kBlock;
    }
    bool padded() const { return pad_top || pad_left || pad_bottom || pad_right; }
    int64_t x_size() const { return n * blocks_of(c) * h * w * kBlock; }
    int64_t y_size() const { return n * blocks_of(k) * out_h() * out_w() * kBlock; }
};

// Weights as the user has them: (K, C / groups, R, S), contiguous; or none yet, where `set_filters`
// comes before the first run (of algorithms that have it).
struct Filters {
    const float* w;              // or null
    const float* bias;  // K floats, or null
    float low, high;    // clamp of the output
    Activation activation = {};  // after the clamp, where it is no clamp itself
};

// What a layer reads and writes: each blocked or plain, whatever the algorithm prefers; of float32,
// or as far as the algorithm `takes` it, of bfloat16.
struct Arrays {
    const void* x;
    void* y;
    const void* residual;   // like y, or null; it may be y itself
    bool plain_x, plain_y;  // (N, C, H, W), whole
    Element x_element = Element::float32, y_element = Element::float32;

    bool all_floats() const {
        return x_element == Element::float32 && y_element == Element::float32;
    }
};

class Convolution {
public:
    Convolution(const ConvSpec& spec, const Filters& filters);
    virtual ~Convolution() = default;

    // x: blocked, or plain NCHW where plain_input(). y: blocked, or plain where plain_output().
    // residual: like y, or null; added before clamp and activation.
    virtual void run(const float* x, float* y, const float* residual) const = 0;
    virtual bool plain_input() const { return false; }
    virtual bool plain_output() const { return false; }
    // Whether `run_any` reads and writes blocked arrays of these.
    virtual bool takes(Element x, Element y) const {
        return x == Element::float32 && y == Element::float32;
    }
    // Other layouts than those are changed before and after, all at once; or, where an algorithm
    // overrides this, bit by bit while they are in the caches.
    virtual void run_any(const Arrays& arrays) const;
    virtual size_t weight_bytes() const = 0;

    // Packs other filters (K, C / groups, R, S), in place of those it was made with, for itself and
    // all that share them. Not while it runs. Throws std::logic_error where an algorithm cannot.
    virtual void set_filters(const float* w);
    // The same from the filters (C / groups of them for each of K channels, turned by half a circle)
    // of a layer whose input gradient this one computes.
    virtual void set_turned_filters(const float* w);
    // Where `set_filters` packs them, if it writes all of it; another as large may take its place
    // until filters are set again. Else null.
    virtual Buffer* packed_filters() { return nullptr; }
    // K floats, or null for zeros.
    void set_bias(const float* bias);

    // The same layer for n images, with x and y in slices of so many channel blocks (0: whole
    // arrays). Shares the weights.
    virtual std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                                int64_t y_blocks) const = 0;

    const ConvSpec spec;

protected:
    Convolution(const Convolution& other, int64_t n, int64_t x_blocks, int64_t y_blocks);

    // Applies what a clamp cannot do to finished outputs.
    void activate(float* y, int64_t count) const {
        if (activate_) activate_(activation_, y, count);
    }

    bool clamps() const { return !activate_; }  // a clamp is all that finishes outputs

    // Whether finished sums can leave as bfloat16, or inputs come as such.
    bool has_bfloat16() const { return bfloat16_ != nullptr; }
    const Bfloat16Arrays& bfloat16() const { return *bfloat16_; }

    // Residual, clamp and activation of sums that have their bias, and their rounding. count: a
    // multiple of 16; the sums are lost.
    void finish(float* sums, const uint16_t* residual, uint16_t* y, int64_t count) const;

    Buffer bias_;  // padded with zeros to whole blocks, and one block more
    float low_, high_;

private:
    Activation activation_;
    ActivationKernel activate_;  // null where there is nothing to apply
    const Bfloat16Arrays* bfloat16_ = bfloat16_arrays(active_isa());
};

std::unique_ptr<Convolution> make_direct(const ConvSpec& spec, const Filters& filters,
                                         Precision precision);
std::unique_ptr<Convolution> make_im2col(const ConvSpec& spec, const Filters& filters);
enum class Border { zeros, reflect, edge };  // what padding is filled with
std::unique_ptr<Convolution> make_depthwise(const ConvSpec& spec, const Filters& filters,
                                            Border border);
// tile: outputs per side. Needs stride 1, dilation 1, one group, and a kernel for tile and filters;
// bfloat16 needs square ones of at most 6 inputs per side.
std::unique_ptr<Convolution> make_winograd(const ConvSpec& spec, const Filters& filters, int tile,
                                           Precision precision);
// F(4, 3) for 3x3 filters that are kept as 9 numbers instead of 36. Needs the same.
std::unique_ptr<Convolution> make_winograd_on_the_fly(const ConvSpec& spec,
                                                      const Filters& filters);
// side: pixels of a tile, 16, 32 or 64, at least R and S. Needs stride 1, dilation 1, and one group
// or one per channel and filter.
std::unique_ptr<Convolution> make_fft(const ConvSpec& spec, const Filters& filters, int side);
std::unique_ptr<Convolution> make_depthwise_fft(const ConvSpec& spec, const Filters& filters,
                                                int side);

// (N, C, H, W) to blocked and back; `pixels` is H * W.
void to_blocked(const float* plain, float* blocked, int64_t n, int64_t c, int64_t pixels);
void from_blocked(const float* blocked, float* plain, int64_t n, int64_t c, int64_t pixels);

}  // namespace darter
