#include "net/steps.hpp"

namespace darter {
namespace {

class ConvolutionStep final : public Step {
public:
    explicit ConvolutionStep(std::shared_ptr<const Convolution> convolution, bool residual)
        : convolution_(std::move(convolution)), residual_(residual) {}

    void run(const Reads& x, const Writes& y) const override {
        convolution_->run(x[0], y[0], residual_ ? x[1] : nullptr);
    }
    size_t weight_bytes() const override { return convolution_->weight_bytes(); }

private:
    const std::shared_ptr<const Convolution> convolution_;
    const bool residual_;
};

}  // namespace

StepPointer convolution_step(std::shared_ptr<const Convolution> convolution, bool residual) {
    return std::make_shared<ConvolutionStep>(std::move(convolution), residual);
}

}  // namespace darter
