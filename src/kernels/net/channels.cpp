// Steps that only move blocked channels: concat, split, slice, shuffle; and the way in and out.
#include <cstring>

#include "net/steps.hpp"

namespace darter {
namespace {

// Number: what has the size of those of x and y.
template <typename Number>
class Channels final : public Step {
public:
    Channels(const std::vector<Blocked>& x, const Blocked& y,
             const std::vector<std::pair<int64_t, int64_t>>& sources)
        : x_(x), y_(y), sources_(sources) {
        for (int64_t block = 0; block < y.blocks(); ++block) whole_.push_back(is_whole(block));
    }

    void run(const Reads& x, const Writes& y) const override {
        each_piece(y_.planes(), 2 * y_.plane(), [&](int64_t first, int64_t last) {
            for (int64_t plane = first; plane < last; ++plane) {
                int64_t image = plane / y_.blocks(), block = plane % y_.blocks();
                Number* to = y.as<Number>(0) + y_.at(plane);
                if (!whole_[block]) {
                    gather(x, image, block, to);
                    continue;
                }
                auto [input, channel] = sources_[block * kBlock];
                std::memcpy(to, x.as<Number>(input) + where(input, image, channel),
                            y_.plane() * sizeof(Number));
            }
        });
    }

private:
    // Whether a block of y is a block of an input.
    bool is_whole(int64_t block) const {
        auto [input, first] = sources_[block * kBlock];
        int64_t count = std::min<int64_t>(kBlock, y_.channels - block * kBlock);
        if (first % kBlock || (count < kBlock && first + count != x_[input].channels)) return false;
        for (int64_t lane = 1; lane < count; ++lane)
            if (sources_[block * kBlock + lane] != std::pair(input, first + lane)) return false;
        return true;
    }

    int64_t where(int64_t input, int64_t image, int64_t channel) const {
        const Blocked& x = x_[input];
        return image * x.image() + channel / kBlock * x.plane() + channel % kBlock;
    }

    void gather(const Reads& x, int64_t image, int64_t block, Number* to) const {
        const Number* from[kBlock];
        int64_t count = std::min<int64_t>(kBlock, y_.channels - block * kBlock);
        for (int64_t lane = 0; lane < count; ++lane) {
            auto [input, channel] = sources_[block * kBlock + lane];
            from[lane] = x.as<Number>(input) + where(input, image, channel);
        }
        for (int64_t i = 0; i < y_.plane(); i += kBlock) {
            for (int64_t lane = 0; lane < count; ++lane) to[i + lane] = from[lane][i];
            for (int64_t lane = count; lane < kBlock; ++lane) to[i + lane] = 0;
        }
    }

    const std::vector<Blocked> x_;
    const Blocked y_;
    const std::vector<std::pair<int64_t, int64_t>> sources_;
    std::vector<bool> whole_;
};

class ToBlocked final : public Step {
public:
    explicit ToBlocked(const Blocked& y) : y_(y) {}
    void run(const Reads& x, const Writes& y) const override {
        for (int64_t image = 0; image < y_.n; ++image)
            to_blocked(x[0] + image * y_.channels * y_.pixels(), y[0] + image * y_.image(), 1,
                       y_.channels, y_.pixels());
    }

private:
    const Blocked y_;
};

class FromBlocked final : public Step {
public:
    explicit FromBlocked(const Blocked& x) : x_(x) {}
    void run(const Reads& x, const Writes& y) const override {
        for (int64_t image = 0; image < x_.n; ++image)
            from_blocked(x[0] + image * x_.image(), y[0] + image * x_.channels * x_.pixels(), 1,
                         x_.channels, x_.pixels());
    }

private:
    const Blocked x_;
};

}  // namespace

StepPointer channels_step(const std::vector<Blocked>& x, const Blocked& y,
                          const std::vector<std::pair<int64_t, int64_t>>& sources) {
    if (y.element == Element::bfloat16)
        return std::make_shared<Channels<uint16_t>>(x, y, sources);
    return std::make_shared<Channels<float>>(x, y, sources);
}
StepPointer to_blocked_step(const Blocked& y) { return std::make_shared<ToBlocked>(y); }
StepPointer from_blocked_step(const Blocked& x) { return std::make_shared<FromBlocked>(x); }

}  // namespace darter
