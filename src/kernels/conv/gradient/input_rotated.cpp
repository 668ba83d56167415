// The input gradient at stride 1 is a convolution of dy: filters and channels change places, filters
// are turned by half a circle.
#include <limits>

#include "conv/gradient/gradient.hpp"

namespace darter {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

ConvSpec turned(const ConvSpec& s) {
    const int64_t down = (s.r - 1) * s.dilation_h, across = (s.s - 1) * s.dilation_w;
    ConvSpec t = s;
    t.c = s.k, t.k = s.c;
    t.h = s.out_h(), t.w = s.out_w();
    t.pad_top = down - s.pad_top, t.pad_bottom = down - s.pad_bottom;
    t.pad_left = across - s.pad_left, t.pad_right = across - s.pad_right;
    t.x_blocks = s.y_blocks, t.y_blocks = s.x_blocks;
    return t;
}

class Rotated final : public InputGradient {
public:
    Rotated(const ConvSpec& spec, MakeForward make) : InputGradient(spec) {
        forward_ = make(turned(spec), {nullptr, nullptr, -kInfinity, kInfinity});
    }

    void set_filters(const float* w) override { forward_->set_turned_filters(w); }

    Buffer* packed_filters() override { return forward_->packed_filters(); }

    void run(const float* dy, float* dx, int64_t images, bool accumulate) const override {
        const float* residual = accumulate ? dx : nullptr;
        const Arrays arrays{dy, dx, residual, false, false};
        if (images == spec.n) return forward_->run_any(arrays);
        forward_->placed(images, forward_->spec.x_blocks, forward_->spec.y_blocks)->run_any(arrays);
    }

private:
    std::unique_ptr<Convolution> forward_;
};

}  // namespace

std::unique_ptr<InputGradient> make_input_gradient_rotated(const ConvSpec& spec, MakeForward make) {
    return std::make_unique<Rotated>(spec, make);
}

}  // namespace darter
