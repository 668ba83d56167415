#include "conv/gradient/gradient.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

// By the names that darter.conv gives the forward algorithms.
std::unique_ptr<Convolution> forward(const std::string& name, const ConvSpec& spec,
                                     const Filters& filters) {
    if (name == "direct") return make_direct(spec, filters, Precision::float32);
    if (name == "direct-bfloat16") return make_direct(spec, filters, Precision::bfloat16);
    if (name == "winograd-2-bfloat16") return make_winograd(spec, filters, 2, Precision::bfloat16);
    if (name == "depthwise") return make_depthwise(spec, filters, Border::zeros);
    if (name == "winograd-2") return make_winograd(spec, filters, 2, Precision::float32);
    if (name == "winograd-4") return make_winograd(spec, filters, 4, Precision::float32);
    if (name == "winograd-6") return make_winograd(spec, filters, 6, Precision::float32);
    throw std::invalid_argument("training has no convolution " + name);
}

class Forward final : public Step {
public:
    Forward(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot y, Slot w, Slot bias,
            const Activation& clamp, bool plain_x)
        : x_(x), y_(y), w_(w), bias_(bias), plain_x_(plain_x) {
        layer_ = forward(algorithm, spec, {nullptr, nullptr, clamp.low(), clamp.high(), clamp});
    }

    void begin(const Context& c) override {
        layer_->set_filters(c[w_]);
        if (bias_.kind != Slot::none) layer_->set_bias(c[bias_]);
    }

    Buffer* packed() override { return layer_->packed_filters(); }

    void images(const Context& c) const override {
        const Arrays arrays{c[x_], c[y_], nullptr, plain_x_, false};
        if (c.count == layer_->spec.n) return layer_->run_any(arrays);
        layer_->placed(c.count, 0, 0)->run_any(arrays);
    }

private:
    const Slot x_, y_, w_, bias_;
    const bool plain_x_;
    std::unique_ptr<Convolution> layer_;
};

class Input final : public Step {
public:
    Input(const std::string& algorithm, const ConvSpec& spec, Slot dy, Slot dx, Slot w,
          bool accumulate)
        : dy_(dy), dx_(dx), w_(w), accumulate_(accumulate),
          gradient_(input_gradient(algorithm, spec)) {}

    void begin(const Context& c) override { gradient_->set_filters(c[w_]); }
    Buffer* packed() override { return gradient_->packed_filters(); }
    void images(const Context& c) const override {
        gradient_->run(c[dy_], c[dx_], c.count, accumulate_);
    }

private:
    const Slot dy_, dx_, w_;
    const bool accumulate_;
    const std::unique_ptr<InputGradient> gradient_;
};

class Filter final : public Step {
public:
    Filter(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot dy, Slot sums, Slot dw,
           bool whole)
        : x_(x), dy_(dy), sums_(sums), dw_(dw), whole_(whole),
          gradient_(filter_gradient(algorithm, spec)) {}

    void images(const Context& c) const override {
        if (whole_) return gradient_->whole(c[x_], c[dy_], c.count, c[sums_], c[dw_]);
        float* sum = c[sums_] + c.lane * gradient_->sum_floats();
        gradient_->add(c[x_], c[dy_], c.count, sum, c.fresh);
    }
    void end(const Context& c) const override {
        if (!whole_) gradient_->finish(c[sums_], c.lanes, c[dw_]);
    }

private:
    const Slot x_, dy_, sums_, dw_;
    const bool whole_;
    const std::unique_ptr<FilterGradient> gradient_;
};

}  // namespace

StepPointer convolution_step(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot y,
                             Slot w, Slot bias, const Activation& clamp, bool plain_x) {
    return std::make_shared<Forward>(algorithm, spec, x, y, w, bias, clamp, plain_x);
}

StepPointer input_gradient_step(const std::string& algorithm, const ConvSpec& spec, Slot dy, Slot dx,
                                Slot w, bool accumulate) {
    return std::make_shared<Input>(algorithm, spec, dy, dx, w, accumulate);
}

StepPointer filter_gradient_step(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot dy,
                                 Slot sums, Slot dw, bool whole) {
    return std::make_shared<Filter>(algorithm, spec, x, dy, sums, dw, whole);
}

int64_t filter_gradient_floats(const std::string& algorithm, const ConvSpec& spec, bool whole) {
    const auto gradient = filter_gradient(algorithm, spec);
    return whole ? gradient->whole_floats(spec.n) : gradient->sum_floats();
}

}  // namespace darter::training
