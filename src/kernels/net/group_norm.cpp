// Groups of channels, each normalized over all of its pixels: group and instance normalization.
#include <cmath>
#include <vector>

#include "net/steps.hpp"

namespace darter {
namespace {

constexpr int64_t kRun = 256;  // pixels summed in float32 before they go into a double

// What is known of the pixels of one channel.
struct Moments {
    double mean = 0, squares = 0;  // the sum of squared distances from the mean
};

class GroupNorm final : public Step {
public:
    GroupNorm(const Blocked& x, const Blocked& y, int64_t groups, float epsilon)
        : x_(x), y_(y), groups_(groups), epsilon_(epsilon) {}

    void run(const Reads& x, const Writes& y) const override {
        const int64_t blocks = x_.blocks(), padded = blocks * kBlock;
        std::vector<Moments> moments(x_.n * padded);
        each_piece(x_.planes(), 2 * x_.plane(), [&](int64_t first, int64_t last) {
            for (int64_t plane = first; plane < last; ++plane)
                measure(x[0] + x_.at(plane), &moments[plane * kBlock]);
        });
        std::vector<float> mean(moments.size()), factor(moments.size());
        for (int64_t image = 0; image < x_.n; ++image)
            for (int64_t group = 0; group < groups_; ++group)
                combine(image * padded, group, moments, x[1], mean.data(), factor.data());
        each_piece(x_.planes(), 2 * x_.plane(), [&](int64_t first, int64_t last) {
            for (int64_t plane = first; plane < last; ++plane)
                apply(x[0] + x_.at(plane), &mean[plane * kBlock], &factor[plane * kBlock],
                      x[2] + plane % blocks * kBlock, y[0] + y_.at(plane));
        });
    }

private:
    // Channel by channel of a block: the mean first, then distances from it.
    void measure(const float* x, Moments* moments) const {
        float middle[kBlock];
        for (int lane = 0; lane < kBlock; ++lane) middle[lane] = 0;
        sum(x, [&](float value, int lane) { return value - middle[lane]; },
            [&](double total, int lane) { moments[lane].mean = total / x_.pixels(); });
        for (int lane = 0; lane < kBlock; ++lane) middle[lane] = static_cast<float>(moments[lane].mean);
        sum(x, [&](float value, int lane) {
                const float distance = value - middle[lane];
                return distance * distance;
            },
            [&](double total, int lane) {
                const double off = moments[lane].mean - middle[lane];
                moments[lane].squares = total - x_.pixels() * off * off;
            });
    }

    template <typename Term, typename Give>
    void sum(const float* x, const Term& term, const Give& give) const {
        double totals[kBlock] = {};
        for (int64_t first = 0; first < x_.pixels(); first += kRun) {
            const int64_t last = std::min(first + kRun, x_.pixels());
            float part[kBlock] = {};
            for (int64_t i = first; i < last; ++i)
                for (int lane = 0; lane < kBlock; ++lane) part[lane] += term(x[i * kBlock + lane], lane);
            for (int lane = 0; lane < kBlock; ++lane) totals[lane] += part[lane];
        }
        for (int lane = 0; lane < kBlock; ++lane) give(totals[lane], lane);
    }

    // at: of the image's first channel.
    void combine(int64_t at, int64_t group, const std::vector<Moments>& moments, const float* scale,
                 float* mean, float* factor) const {
        const int64_t count = x_.channels / groups_, first = group * count, last = first + count;
        double middle = 0, squares = 0;
        for (int64_t c = first; c < last; ++c) middle += moments[at + c].mean / count;
        for (int64_t c = first; c < last; ++c) {
            const double off = moments[at + c].mean - middle;
            squares += moments[at + c].squares + x_.pixels() * off * off;
        }
        const double deviation = std::sqrt(squares / (count * x_.pixels()) + epsilon_);
        for (int64_t c = first; c < last; ++c) {
            mean[at + c] = static_cast<float>(middle);
            factor[at + c] = static_cast<float>(scale[c] / deviation);
        }
    }

    void apply(const float* x, const float* mean, const float* factor, const float* shift,
               float* y) const {
        for (int64_t i = 0; i < x_.pixels(); ++i)
            for (int lane = 0; lane < kBlock; ++lane)
                y[i * kBlock + lane] = (x[i * kBlock + lane] - mean[lane]) * factor[lane] + shift[lane];
    }

    const Blocked x_, y_;
    const int64_t groups_;
    const float epsilon_;
};

}  // namespace

StepPointer group_norm_step(const Blocked& x, const Blocked& y, int64_t groups, float epsilon) {
    return std::make_shared<GroupNorm>(x, y, groups, epsilon);
}

}  // namespace darter
