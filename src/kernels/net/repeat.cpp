// A program for one image inside a program for many: early layers, whose tensors are large and
// weights small, stay in the caches when a thread takes one image through all of them.
#include "net/program.hpp"
#include "net/steps.hpp"

namespace darter {
namespace {

class Repeat final : public Step {
public:
    Repeat(std::shared_ptr<const Program> program, int64_t times, std::vector<int64_t> x_floats,
           std::vector<int64_t> y_floats)
        : program_(std::move(program)), times_(times), x_floats_(std::move(x_floats)),
          y_floats_(std::move(y_floats)) {}

    void run(const float* const* x, float* const* y) const override {
        int64_t even = times_ / threads() * threads();
        parallel_for(even, [&](size_t image) { run_image(x, y, image, 1); });
        for (int64_t image = even; image < times_; ++image) run_image(x, y, image, threads());
    }
    size_t weight_bytes() const override { return program_->weight_bytes(); }

private:
    void run_image(const float* const* x, float* const* y, int64_t image, int most_threads) const {
        std::vector<const float*> inputs;
        std::vector<float*> outputs;
        for (size_t i = 0; i < x_floats_.size(); ++i) inputs.push_back(x[i] + image * x_floats_[i]);
        for (size_t i = 0; i < y_floats_.size(); ++i) outputs.push_back(y[i] + image * y_floats_[i]);
        program_->run(inputs.data(), outputs.data(), most_threads, nullptr);
    }

    const std::shared_ptr<const Program> program_;
    const int64_t times_;
    const std::vector<int64_t> x_floats_, y_floats_;
};

}  // namespace

StepPointer repeat_step(std::shared_ptr<const Program> program, int64_t times,
                        std::vector<int64_t> x_floats, std::vector<int64_t> y_floats) {
    return std::make_shared<Repeat>(std::move(program), times, std::move(x_floats),
                                    std::move(y_floats));
}

}  // namespace darter
