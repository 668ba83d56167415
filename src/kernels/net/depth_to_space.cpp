// Channels become pixels: the last step of a transposed convolution and of pixel shuffles.
#include <cstring>

#include "net/steps.hpp"

namespace darter {
namespace {

class DepthToSpace final : public Step {
public:
    DepthToSpace(const Blocked& x, const Blocked& y, bool channels_first)
        : x_(x), y_(y), rows_(y.h / x.h), columns_(y.w / x.w), channels_first_(channels_first),
          whole_(!channels_first && y.channels % kBlock == 0) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(y_.planes() * y_.h, 2 * y_.w * kBlock, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const int64_t plane = i / y_.h, row = i % y_.h;
                row_of(x[0] + plane / y_.blocks() * x_.image(), plane % y_.blocks(), row,
                       y[0] + y_.at(plane) + row * y_.w * kBlock);
            }
        });
    }

private:
    // x: an image.
    void row_of(const float* x, int64_t block, int64_t row, float* y) const {
        const float* from[kBlock];
        const int64_t count = std::min<int64_t>(kBlock, y_.channels - block * kBlock);
        for (int64_t j = 0; j < columns_; ++j) {
            const int64_t place = row % rows_ * columns_ + j, start = row / rows_ * x_.w * kBlock;
            for (int64_t lane = 0; lane < count; ++lane) {
                const int64_t c = block * kBlock + lane;
                const int64_t channel = channels_first_ ? c * rows_ * columns_ + place
                                                        : place * y_.channels + c;
                from[lane] = x + channel / kBlock * x_.plane() + start + channel % kBlock;
            }
            for (int64_t i = 0; i < x_.w; ++i) {
                float* to = y + (i * columns_ + j) * kBlock;
                if (whole_) {
                    std::memcpy(to, from[0] + i * kBlock, kBlock * sizeof(float));
                    continue;
                }
                for (int64_t lane = 0; lane < count; ++lane) to[lane] = from[lane][i * kBlock];
                for (int64_t lane = count; lane < kBlock; ++lane) to[lane] = 0;
            }
        }
    }

    const Blocked x_, y_;
    const int64_t rows_, columns_;  // of a square of pixels
    const bool channels_first_, whole_;
};

}  // namespace

StepPointer depth_to_space_step(const Blocked& x, const Blocked& y, bool channels_first) {
    return std::make_shared<DepthToSpace>(x, y, channels_first);
}

}  // namespace darter
