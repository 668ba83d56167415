#include "conv/convolution.hpp"

#include <algorithm>
#include <stdexcept>

namespace darter {

namespace {

ConvSpec with_places(ConvSpec spec, int64_t n, int64_t x_blocks, int64_t y_blocks) {
    spec.n = n, spec.x_blocks = x_blocks, spec.y_blocks = y_blocks;
    return spec;
}

void change_layout(const float* from, float* to, bool plain, int64_t n, int64_t c, int64_t pixels) {
    plain ? to_blocked(from, to, n, c, pixels) : from_blocked(from, to, n, c, pixels);
}

}  // namespace

Convolution::Convolution(const ConvSpec& spec, const Filters& filters)
    : spec(spec),
      bias_((blocks_of(spec.k) + 1) * kBlock),
      low_(filters.low),
      high_(filters.high),
      activation_(filters.activation),
      activate_(activation_.clamps() ? nullptr : activation_kernel()) {
    set_bias(filters.bias);
}

Convolution::Convolution(const Convolution& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
    : spec(with_places(other.spec, n, x_blocks, y_blocks)),
      bias_(other.bias_),
      low_(other.low_),
      high_(other.high_),
      activation_(other.activation_),
      activate_(other.activate_),
      bfloat16_(other.bfloat16_) {}

void Convolution::finish(float* sums, const uint16_t* residual, uint16_t* y, int64_t count) const {
    if (!activate_) return bfloat16_->finish(sums, residual, low_, high_, y, count);
    if (residual) bfloat16_->add(residual, sums, count);
    activate_(activation_, sums, count);
    bfloat16_->round(sums, y, count);
}

void Convolution::set_filters(const float*) {
    throw std::logic_error("this convolution packs its filters once");
}

void Convolution::set_turned_filters(const float* w) {
    const int64_t taps = spec.r * spec.s, channels = spec.c / spec.groups;
    const int64_t filters = spec.k / spec.groups;
    Buffer own(spec.k * channels * taps);
    for (int64_t k = 0; k < spec.k; ++k)
        for (int64_t c = 0; c < channels; ++c)
            for (int64_t tap = 0; tap < taps; ++tap)
                own.data()[(k * channels + c) * taps + tap] =
                    w[((k / filters * channels + c) * filters + k % filters) * taps + taps - 1 - tap];
    set_filters(own.data());
}

void Convolution::set_bias(const float* bias) {
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    if (bias) std::copy_n(bias, spec.k, bias_.data());
}

void Convolution::run_any(const Arrays& a) const {
    int64_t in_pixels = spec.h * spec.w, out_pixels = spec.out_h() * spec.out_w();
    const float* x = static_cast<const float*>(a.x);
    float* out = static_cast<float*>(a.y);
    const float* added = static_cast<const float*>(a.residual);
    if (a.plain_x != plain_input()) {
        float* other = scratch(Scratch::layout_in, spec.x_size());
        change_layout(x, other, a.plain_x, spec.n, spec.c, in_pixels);
        x = other;
    }
    if (a.plain_y == plain_output()) return run(x, out, added);

    float* y = scratch(Scratch::layout_out, (added ? 2 : 1) * spec.y_size());
    float* residual = added ? y + spec.y_size() : nullptr;
    if (residual) change_layout(added, residual, a.plain_y, spec.n, spec.k, out_pixels);
    run(x, y, residual);
    change_layout(y, out, !a.plain_y, spec.n, spec.k, out_pixels);
}

}  // namespace darter
