#include "conv/winograd/on_the_fly.hpp"

#include <algorithm>

#include "conv/tiled/driver.hpp"
#include "conv/winograd/cook_toom.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
#if defined(__x86_64__)
namespace avx2 { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
namespace avx512 { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
#endif

namespace winograd {
namespace {

constexpr int64_t kChannels = 32;  // whose filters stay in L1: 36 KiB, or 12 KiB of one row
constexpr int64_t kFewTiles = 8;   // up to which 9 numbers are the better form of a filter

const OnTheFlyKernels& active_kernels() {
#if defined(__x86_64__)
    if (active_isa() >= Isa::avx512) return avx512::on_the_fly_kernels;
    if (active_isa() == Isa::avx2) return avx2::on_the_fly_kernels;
#endif
    return scalar::on_the_fly_kernels;
}

// Filters lie as [unit of filter blocks][channel][3 rows][3][filters of the unit], or with their
// columns transformed as [unit][6 rows][channel][3][filters of the unit].
class OnTheFlyTiles final : public Tiled {
public:
    OnTheFlyTiles(const ConvSpec& spec, const Filters& filters, const OnTheFlyKernels& kernels)
        : Tiled(spec, filters, kernels.transform, Precision::float32,
                {.blocks = kernels.blocks, .rows = kernels.tiles, .shared = true, .tasks = 4}),
          kernels_(kernels),
          rows_(tiles() <= kFewTiles ? 3 : 6),
          weights_(blocks_of(spec.k) * kBlock * spec.c * rows_ * 3) {
        pack(filters.w);
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new OnTheFlyTiles(*this, n, x_blocks, y_blocks));
    }

private:
    OnTheFlyTiles(const OnTheFlyTiles& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Tiled(other, n, x_blocks, y_blocks),
          kernels_(other.kernels_),
          rows_(other.rows_),
          weights_(other.weights_) {}

    // Floats from channel to channel and from row to row of a unit.
    int64_t channel_stride(int64_t width) const { return (rows_ == 3 ? 9 : 3) * width; }
    int64_t row_stride(int64_t width) const { return (rows_ == 3 ? 1 : spec.c) * 3 * width; }
    const float* end() const { return weights_.data() + weights_.size(); }
    float* unit_weights(int64_t unit) const {
        return weights_.data() + unit * kernels_.blocks * kBlock * spec.c * rows_ * 3;
    }

    void pack(const float* w) {
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        parallel_for(units(), [&](size_t unit) {
            int64_t width = unit_blocks(unit) * kBlock, begin = unit * kernels_.blocks * kBlock;
            int64_t count = std::min(width, spec.k - begin);
            for (int64_t c = 0; c < spec.c; ++c)
                for (int64_t i = 0; i < count; ++i)
                    pack_filter(w + ((begin + i) * spec.c + c) * 9,
                                unit_weights(unit) + c * channel_stride(width) + i, width);
        });
    }

    // In float64 and rounded once.
    void pack_filter(const float* g, float* kept, int64_t width) const {
        const Matrix& down = rows_ == 3 ? kOnTheFly.kept : kOnTheFly.rows;
        for (int64_t i = 0; i < rows_; ++i)
            for (int j = 0; j < 3; ++j) {
                double value = 0;
                for (int a = 0; a < 3; ++a)
                    for (int b = 0; b < 3; ++b)
                        value += down.rows[i].at[a] * kOnTheFly.kept.rows[j].at[b] * g[a * 3 + b];
                kept[i * row_stride(width) + j * width] = static_cast<float>(value);
            }
    }

    void multiply(const void* v, int64_t unit, int64_t tiles, float* products,
                  int64_t position_stride) const override {
        Task task{static_cast<const float*>(v), unit, tiles, products, position_stride, {}, {}};
        if (rows_ == 6) {
            for (int row = 0; row < 6; ++row)
                for (int64_t c = 0; c < spec.c; c += kChannels) multiply_row(task, row, c);
        } else {
            for (int64_t c = 0; c < spec.c; c += kChannels)
                for (int row = 0; row < 6; ++row) multiply_row(task, row, c);
        }
    }

    struct Task {
        const float* v;
        int64_t unit, tiles;
        float* products;
        int64_t position_stride;
        const float *ahead, *end;  // filters to fetch: as many as are used meanwhile

        void fetch_after(const float* filters, int64_t count, const float* last) {
            ahead = filters + count;
            end = std::min(ahead + count, last);
        }
        const float* fetch(int64_t count) {
            const float* here = ahead < end ? ahead : nullptr;
            ahead += count;
            return here;
        }
    };

    // The channels from c on, at the six positions of a row.
    void multiply_row(Task& task, int row, int64_t c) const {
        const int64_t width = unit_blocks(task.unit) * kBlock;
        const int64_t step = even_piece(task.tiles, kernels_.tiles);
        HalfRow p{};
        p.channel = channel_stride(width);
        p.channels = std::min(kChannels, spec.c - c);
        p.blocks = static_cast<int>(unit_blocks(task.unit));
        p.v_block = v_block();
        p.accumulate = c > 0;
        const float* weights = unit_weights(task.unit) + c * p.channel;
        const float* filters = weights + (rows_ == 6 ? row * row_stride(width) : 0);
        if (rows_ == 6 || row == 0) task.fetch_after(filters, p.channels * p.channel, end());
        p.lines = static_cast<int>(ceil_div(rows_ * p.blocks, 4 * ceil_div(task.tiles, step)));
        for (bool back : {false, true}) {
            set_filters(p, weights, width, row, back);
            const int at[3] = {back ? 5 : 0, back ? 3 : 1, back ? 4 : 2};
            for (int64_t tile = 0; tile < task.tiles; tile += step) {
                p.tiles = static_cast<int>(std::min(step, task.tiles - tile));
                for (int j = 0; j < 3; ++j) {
                    int64_t position = row * 6 + at[j];
                    p.v[j] = task.v + position * v_position() + c / kBlock * v_block() +
                             tile * kBlock;
                    p.products[j] =
                        task.products + position * task.position_stride + tile * width;
                }
                p.ahead = task.fetch(p.lines * p.channels * kBlock);
                kernels_.multiply(p);
            }
        }
    }

    // back: the positions of infinity, q and -q.
    void set_filters(HalfRow& p, const float* weights, int64_t width, int row, bool back) const {
        p.column = back ? -width : width;
        if (back) weights += 2 * width;
        if (rows_ == 6) {
            p.form = Form::first;
            p.first = p.second = weights + row * row_stride(width);
            return;
        }
        const bool ends = row == 0 || row == 5;
        p.form = ends ? Form::ends : row % 2 ? Form::plus : Form::minus;
        p.first = weights + (row < 3 ? 0 : 2) * row_stride(width);
        p.second = weights + (!ends ? 1 : row < 3 ? 2 : 0) * row_stride(width);
    }

    const OnTheFlyKernels& kernels_;
    const int64_t rows_;  // that are kept of a filter
    Buffer weights_;
};

}  // namespace
}  // namespace winograd

std::unique_ptr<Convolution> make_winograd_on_the_fly(const ConvSpec& spec,
                                                      const Filters& filters) {
    return std::make_unique<winograd::OnTheFlyTiles>(spec, filters, winograd::active_kernels());
}

}  // namespace darter
