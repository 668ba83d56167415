// A program for one image inside a program for many: early layers, whose tensors are large and
// weights small, stay in the caches when a thread takes one image through all of them.
#include "net/program.hpp"
#include "net/steps.hpp"

namespace darter {
namespace {

class Repeat final : public Step {
public:
    Repeat(std::shared_ptr<const Program> program, int64_t times, std::vector<int64_t> x_bytes,
           std::vector<int64_t> y_bytes)
        : program_(std::move(program)), times_(times), x_bytes_(std::move(x_bytes)),
          y_bytes_(std::move(y_bytes)) {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t even = times_ / threads() * threads();
        parallel_for(even, [&](size_t image) { run_image(x, y, image, 1); });
        for (int64_t image = even; image < times_; ++image) run_image(x, y, image, threads());
    }
    size_t weight_bytes() const override { return program_->weight_bytes(); }

private:
    void run_image(const Reads& x, const Writes& y, int64_t image, int most_threads) const {
        std::vector<const std::byte*> inputs;
        std::vector<std::byte*> outputs;
        for (size_t i = 0; i < x_bytes_.size(); ++i)
            inputs.push_back(x.as<std::byte>(i) + image * x_bytes_[i]);
        for (size_t i = 0; i < y_bytes_.size(); ++i)
            outputs.push_back(y.as<std::byte>(i) + image * y_bytes_[i]);
        program_->run(inputs.data(), outputs.data(), most_threads, nullptr);
    }

    const std::shared_ptr<const Program> program_;
    const int64_t times_;
    const std::vector<int64_t> x_bytes_, y_bytes_;
};

}  // namespace

StepPointer repeat_step(std::shared_ptr<const Program> program, int64_t times,
                        std::vector<int64_t> x_bytes, std::vector<int64_t> y_bytes) {
    return std::make_shared<Repeat>(std::move(program), times, std::move(x_bytes),
                                    std::move(y_bytes));
}

}  // namespace darter
