// Steps of detectors on plain arrays: the places of the largest values, values at places, and which
// boxes stay where they lie on each other.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "net/steps.hpp"

namespace darter {
namespace {

// Numbers without a value come last, whichever way the others are sorted.
float key(float value, bool least) {
    if (std::isnan(value)) return -std::numeric_limits<float>::infinity();
    return least ? -value : value;
}

class TopPlaces final : public Step {
public:
    TopPlaces(int64_t outer, int64_t axis, int64_t inner, int64_t count, bool least)
        : outer_(outer), axis_(axis), inner_(inner), count_(count), least_(least) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(outer_ * inner_, 16 * axis_, [&](int64_t first, int64_t last) {
            std::vector<int64_t> places(axis_);
            for (int64_t i = first; i < last; ++i) {
                const float* from = x[0] + i / inner_ * axis_ * inner_ + i % inner_;
                float* to = y[0] + i / inner_ * count_ * inner_ + i % inner_;
                auto before = [&](int64_t a, int64_t b) {
                    float p = key(from[a * inner_], least_), q = key(from[b * inner_], least_);
                    return p != q ? p > q : a < b;
                };
                std::iota(places.begin(), places.end(), int64_t{0});
                std::partial_sort(places.begin(), places.begin() + count_, places.end(), before);
                for (int64_t k = 0; k < count_; ++k)
                    to[k * inner_] = static_cast<float>(places[k]);
            }
        });
    }

private:
    const int64_t outer_, axis_, inner_, count_;
    const bool least_;
};

class GatherAlong final : public Step {
public:
    GatherAlong(int64_t outer, int64_t axis, int64_t inner, int64_t count)
        : outer_(outer), axis_(axis), inner_(inner), count_(count) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(outer_ * count_ * inner_, 3, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                int64_t from = i / (count_ * inner_) * axis_ * inner_ + i % inner_;
                y[0][i] = x[0][from + place(x[1][i]) * inner_];
            }
        });
    }

private:
    // Negative places count from the end. What lies outside is computed from pictures, so it is
    // brought to the nearest end: nothing beside the array is ever read.
    int64_t place(float given) const {
        float last = static_cast<float>(axis_ - 1);
        if (given < 0) given += static_cast<float>(axis_);
        return static_cast<int64_t>(given >= 0 ? std::min(given, last) : 0);
    }

    const int64_t outer_, axis_, inner_, count_;
};

class KeepBoxes final : public Step {
public:
    KeepBoxes(int64_t pictures, int64_t classes, int64_t boxes, int64_t most, float overlap,
              float least, bool middles)
        : pictures_(pictures), classes_(classes), boxes_(boxes), most_(most), overlap_(overlap),
          least_(least), middles_(middles) {}

    void run(const Reads& x, const Writes& y) const override {
        each_piece(pictures_ * classes_, 64 * boxes_, [&](int64_t first, int64_t last) {
            std::vector<int64_t> order, kept;
            for (int64_t i = first; i < last; ++i)
                keep(x[0] + i / classes_ * boxes_ * 4, x[1] + i * boxes_, y[0] + i * boxes_, order,
                     kept);
        });
    }

private:
    struct Box {
        float low[2], high[2];
        float area() const { return (high[0] - low[0]) * (high[1] - low[1]); }
    };

    Box box(const float* b) const {
        Box found;
        for (int k = 0; k < 2; ++k) {
            float a = middles_ ? b[k] - b[k + 2] / 2 : b[k];
            float c = middles_ ? b[k] + b[k + 2] / 2 : b[k + 2];
            found.low[k] = std::min(a, c);
            found.high[k] = std::max(a, c);
        }
        return found;
    }

    bool lie_on_each_other(const Box& a, const Box& b) const {
        float width = std::min(a.high[0], b.high[0]) - std::max(a.low[0], b.low[0]);
        float height = std::min(a.high[1], b.high[1]) - std::max(a.low[1], b.low[1]);
        if (!(width > 0 && height > 0)) return false;
        float both = width * height, all = a.area() + b.area() - both;
        return all > 0 && both / all > overlap_;
    }

    // The surest first; each that lies on no kept one is kept.
    void keep(const float* boxes, const float* scores, float* y, std::vector<int64_t>& order,
              std::vector<int64_t>& kept) const {
        order.clear();
        kept.clear();
        std::fill(y, y + boxes_, 0.0f);
        for (int64_t k = 0; k < boxes_; ++k)
            if (scores[k] > least_) order.push_back(k);  // not a number is never above
        std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
            return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
        });
        for (int64_t k : order) {
            if (static_cast<int64_t>(kept.size()) >= most_) break;
            const Box here = box(boxes + 4 * k);
            bool doubled = std::any_of(kept.begin(), kept.end(), [&](int64_t other) {
                return lie_on_each_other(here, box(boxes + 4 * other));
            });
            if (doubled) continue;
            kept.push_back(k);
            y[k] = 1.0f;
        }
    }

    const int64_t pictures_, classes_, boxes_, most_;
    const float overlap_, least_;
    const bool middles_;
};

}  // namespace

StepPointer top_places_step(int64_t outer, int64_t axis, int64_t inner, int64_t count, bool least) {
    if (count < 1 || count > axis) throw std::invalid_argument("count must be from 1 to axis");
    return std::make_shared<TopPlaces>(outer, axis, inner, count, least);
}
StepPointer gather_along_step(int64_t outer, int64_t axis, int64_t inner, int64_t count) {
    if (axis < 1) throw std::invalid_argument("axis must have a place");
    return std::make_shared<GatherAlong>(outer, axis, inner, count);
}
StepPointer keep_boxes_step(int64_t pictures, int64_t classes, int64_t boxes, int64_t most,
                            float overlap, float least, bool middles) {
    return std::make_shared<KeepBoxes>(pictures, classes, boxes, most, overlap, least, middles);
}

}  // namespace darter
