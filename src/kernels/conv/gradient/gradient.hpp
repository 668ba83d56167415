// The two gradients of one layer y = conv(x, w): of its input and of its filters. dy and dx lie as y
// and x do, in blocks; the missing channels of the last block are 0 in what is read and written.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "conv/convolution.hpp"

namespace darter {

class InputGradient {
public:
    explicit InputGradient(const ConvSpec& spec) : spec(spec) {}
    virtual ~InputGradient() = default;

    // w: (K, C / groups, R, S). Packs them; before the first run, and whenever they have changed.
    virtual void set_filters(const float* w) = 0;
    // As of a convolution.
    virtual Buffer* packed_filters() { return nullptr; }
    // Of so many images; accumulate: added to what dx holds.
    virtual void run(const float* dy, float* dx, int64_t images, bool accumulate) const = 0;

    const ConvSpec spec;
};

// Sums over images and pixels, in three steps, so that several threads may sum parts of a batch:
// each part has `sum_floats()` of its own. The order of all additions depends on the shape and on
// the parts alone.
class FilterGradient {
public:
    explicit FilterGradient(const ConvSpec& spec) : spec(spec) {}
    virtual ~FilterGradient() = default;

    virtual int64_t sum_floats() const = 0;
    // Adds what so many images contribute, or begins with it where `first`.
    virtual void add(const float* x, const float* dy, int64_t images, float* sum,
                     bool first) const = 0;
    // The sums of `parts` parts, one after the other, to dw: (K, C / groups, R, S).
    virtual void finish(const float* sums, int64_t parts, float* dw) const = 0;

    // The same of so many images at once, on all threads; `sums` has `whole_floats(images)`.
    virtual int64_t whole_floats(int64_t) const { return sum_floats(); }
    virtual void whole(const float* x, const float* dy, int64_t images, float* sums, float* dw) const {
        add(x, dy, images, sums, true);
        finish(sums, 1, dw);
    }

    const ConvSpec spec;
};

// Any stride, padding, dilation and groups.
std::unique_ptr<InputGradient> make_input_gradient_direct(const ConvSpec& spec, Precision precision);
std::unique_ptr<FilterGradient> make_filter_gradient_direct(const ConvSpec& spec);

// Stride 1: the convolution of dy with rotated filters, by a forward algorithm whose filters can be
// set again. Needs at most dilation * (taps - 1) of padding.
using MakeForward = std::unique_ptr<Convolution> (*)(const ConvSpec&, const Filters&);
std::unique_ptr<InputGradient> make_input_gradient_rotated(const ConvSpec& spec, MakeForward make);

// 3x3 filters, stride 1, dilation 1, one group; tile: outputs per side, 2, 4 or 6.
std::unique_ptr<FilterGradient> make_filter_gradient_winograd(const ConvSpec& spec, int tile);

// Products of pixels, or of tiles, in pairs of bfloat16 where the CPU multiplies those; sums are
// float32. Throw std::invalid_argument where it does not.
std::unique_ptr<FilterGradient> make_filter_gradient_pairs(const ConvSpec& spec);
std::unique_ptr<FilterGradient> make_filter_gradient_winograd_pairs(const ConvSpec& spec, int tile);

// At most 16 channels, one group, columns of taps side by side. plain: x is (N, C, H, W).
std::unique_ptr<FilterGradient> make_filter_gradient_few_channels(const ConvSpec& spec,
                                                                  Precision precision, bool plain);

// As many groups as channels and filters.
std::unique_ptr<InputGradient> make_input_gradient_depthwise(const ConvSpec& spec);
std::unique_ptr<FilterGradient> make_filter_gradient_depthwise(const ConvSpec& spec);

// By the names that darter.conv gives them; throw std::invalid_argument for others.
std::unique_ptr<InputGradient> input_gradient(const std::string& name, const ConvSpec& spec);
std::unique_ptr<FilterGradient> filter_gradient(const std::string& name, const ConvSpec& spec);

}  // namespace darter
