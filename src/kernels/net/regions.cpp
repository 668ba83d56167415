// RoIAlign: a grid of bins over each box of a feature map, each the mean, or largest, of samples
// between its pixels. Source: He et al., arXiv:1703.06870.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

// Samples of a bin along one axis where their number follows from the box: a box of any size, also
// one that no picture has room for, is done in bounded time.
constexpr double kMostSamples = 4096;

// What the samples of each bin read along one axis, with their weights. Bilinear weights and means
// are products of those of rows and columns.
class Axis {
public:
    Axis(int64_t bins, int64_t samples, bool half_pixel, bool mean)
        : bins_(bins), samples_(samples), half_pixel_(half_pixel), mean_(mean) {}

    void fill(double low, double high, int64_t size) {
        taps_.clear();
        ends_.clear();
        double offset = half_pixel_ ? 0.5 : 0.0, start = low - offset, length = high - low;
        if (!half_pixel_) length = std::max(length, 1.0);
        double step = length / static_cast<double>(bins_);
        // Neither a box without numbers nor one without a size has samples.
        int64_t count = samples_;
        if (!count && step > 0) count = static_cast<int64_t>(std::min(std::ceil(step), kMostSamples));
        for (int64_t bin = 0; bin < bins_; ++bin) {
            first_ = taps_.size();
            for (int64_t i = 0; i < count; ++i)
                sample(start + static_cast<double>(bin) * step
                             + (static_cast<double>(i) + 0.5) * step / static_cast<double>(count),
                       size, mean_ ? 1.0 / static_cast<double>(count) : 1.0);
            ends_.push_back(taps_.size());
        }
    }

    struct Tap {
        int64_t index;
        double weight;
    };
    const Tap* begin(int64_t bin) const { return taps_.data() + (bin ? ends_[bin - 1] : 0); }
    const Tap* end(int64_t bin) const { return taps_.data() + ends_[bin]; }

private:
    void sample(double at, int64_t size, double weight) {
        if (!(at >= -1.0 && at <= static_cast<double>(size))) return outside();
        at = std::max(at, 0.0);
        int64_t low = std::min(static_cast<int64_t>(at), size - 1);
        double rest = low == size - 1 ? 0.0 : at - static_cast<double>(low);
        add(low, (1.0 - rest) * weight);
        add(std::min(low + 1, size - 1), rest * weight);
    }

    // A sample beside the map is 0: nothing to a mean, and once is enough for a maximum.
    void outside() {
        if (!mean_ && (taps_.size() == first_ || taps_.back().weight != 0.0))
            taps_.push_back({0, 0.0});
    }

    void add(int64_t index, double weight) {
        if (mean_ && weight == 0.0) return;
        for (size_t k = taps_.size(); mean_ && k > first_ && k + 2 > taps_.size(); --k)
            if (taps_[k - 1].index == index) {
                taps_[k - 1].weight += weight;
                return;
            }
        taps_.push_back({index, weight});
    }

    const int64_t bins_, samples_;
    const bool half_pixel_, mean_;
    std::vector<Tap> taps_;
    std::vector<size_t> ends_;
    size_t first_ = 0;
};

class AlignRegions final : public Step {
public:
    AlignRegions(const Blocked& x, int64_t boxes, const RegionShape& shape)
        : x_(x), boxes_(boxes), shape_(shape), weigh_(vector_kernels().weigh) {}

    void run(const Reads& x, const Writes& y) const override {
        int64_t bins = shape_.rows * shape_.columns, region = x_.channels * bins;
        each_piece(x_.n * boxes_, 8 * region, [&](int64_t first, int64_t last) {
            Axis rows(shape_.rows, shape_.samples, shape_.half_pixel, !shape_.maximum);
            Axis columns(shape_.columns, shape_.samples, shape_.half_pixel, !shape_.maximum);
            std::vector<const float*> taps;
            std::vector<float> weights;
            for (int64_t i = first; i < last; ++i) {
                const float* box = x[1] + 4 * i;
                columns.fill(box[0] * shape_.scale, box[2] * shape_.scale, x_.w);
                rows.fill(box[1] * shape_.scale, box[3] * shape_.scale, x_.h);
                for (int64_t bin = 0; bin < bins; ++bin)
                    run_bin(x[0] + i / boxes_ * x_.image(), rows, columns, bin,
                            y[0] + i * region + bin, taps, weights);
            }
        });
    }

private:
    void run_bin(const float* x, const Axis& rows, const Axis& columns, int64_t bin, float* y,
                 std::vector<const float*>& taps, std::vector<float>& weights) const {
        taps.clear();
        weights.clear();
        int64_t row = bin / shape_.columns, column = bin % shape_.columns;
        for (const Axis::Tap* r = rows.begin(row); r != rows.end(row); ++r)
            for (const Axis::Tap* c = columns.begin(column); c != columns.end(column); ++c) {
                taps.push_back(x + (r->index * x_.w + c->index) * kBlock);
                weights.push_back(static_cast<float>(r->weight * c->weight));
            }
        int64_t count = static_cast<int64_t>(taps.size()), bins = shape_.rows * shape_.columns;
        for (int64_t block = 0; block < x_.blocks(); ++block) {
            alignas(64) float pixel[kBlock] = {};
            if (shape_.maximum)
                largest(taps.data(), weights.data(), count, pixel);
            else if (count)
                weigh_(taps.data(), weights.data(), count, pixel);
            int64_t channels = std::min<int64_t>(kBlock, x_.channels - block * kBlock);
            for (int64_t c = 0; c < channels; ++c) y[(block * kBlock + c) * bins] = pixel[c];
            for (const float*& tap : taps) tap += x_.plane();
        }
    }

    // ONNX's maximum is that of the weighted pixels, not of the samples.
    static void largest(const float* const* taps, const float* weights, int64_t count, float* y) {
        for (int64_t k = 0; k < count; ++k)
            for (int64_t c = 0; c < kBlock; ++c) {
                float value = weights[k] * taps[k][c];
                y[c] = k ? std::max(y[c], value) : value;
            }
    }

    const Blocked x_;
    const int64_t boxes_;
    const RegionShape shape_;
    void (*const weigh_)(const float* const*, const float*, int64_t, float*);
};

}  // namespace

StepPointer align_regions_step(const Blocked& x, int64_t boxes, const RegionShape& shape) {
    if (shape.rows < 1 || shape.columns < 1 || shape.samples < 0 || boxes < 1)
        throw std::invalid_argument("bins and boxes must be positive, samples not negative");
    return std::make_shared<AlignRegions>(x, boxes, shape);
}

}  // namespace darter
