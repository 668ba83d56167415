#include "net/steps.hpp"

namespace darter {
namespace {

class ConvolutionStep final : public Step {
public:
    ConvolutionStep(std::shared_ptr<const Convolution> convolution, bool residual, Element x,
                    Element y)
        : convolution_(std::move(convolution)), residual_(residual), x_(x), y_(y) {}

    void run(const Reads& x, const Writes& y) const override {
        convolution_->run_any({.x = x[0],
                               .y = y[0],
                               .residual = residual_ ? x[1] : nullptr,
                               .plain_x = convolution_->plain_input(),
                               .plain_y = convolution_->plain_output(),
                               .x_element = x_,
                               .y_element = y_});
    }
    size_t weight_bytes() const override { return convolution_->weight_bytes(); }

private:
    const std::shared_ptr<const Convolution> convolution_;
    const bool residual_;
    const Element x_, y_;
};

}  // namespace

StepPointer convolution_step(std::shared_ptr<const Convolution> convolution, bool residual,
                             Element x, Element y) {
    return std::make_shared<ConvolutionStep>(std::move(convolution), residual, x, y);
}

}  // namespace darter
