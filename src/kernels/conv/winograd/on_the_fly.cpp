#include "conv/winograd/on_the_fly.hpp"

#include <algorithm>

#include "conv/tiled/driver.hpp"
#include "conv/winograd/cook_toom.hpp"
#include "conv/winograd/winograd.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
namespace avx2 { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
namespace neon { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }
namespace avx512 { extern const winograd::OnTheFlyKernels on_the_fly_kernels; }

namespace winograd {
namespace {

constexpr int64_t kChannels = 32;  // whose filters stay in L1: 18 KiB

constexpr Dispatch<const OnTheFlyKernels*> kKernels{EVERY_ISA(on_the_fly_kernels)};

const OnTheFlyKernels& active_kernels() { return *kKernels.active(); }

// Filters lie as [block of 16][channel][3 rows][3][16].
class OnTheFlyTiles final : public Tiled {
public:
    OnTheFlyTiles(const ConvSpec& spec, const Filters& filters, const OnTheFlyKernels& kernels)
        : Tiled(spec, filters, transform(kernels), Precision::float32,
                {.blocks = 1, .rows = kernels.tiles, .shared = true, .tasks = 4, .pieces = true}),
          kernels_(kernels),
          weights_(units() * spec.c * kFilters) {
        pack(filters.w);
    }

    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new OnTheFlyTiles(*this, n, x_blocks, y_blocks));
    }

private:
    static TileTransform transform(const OnTheFlyKernels& kernels) {
        TileTransform t = kernels.transform;
        t.input_of_bfloat16 = winograd_input_of_bfloat16(t.inputs_h, t.inputs_w);
        return t;
    }

    OnTheFlyTiles(const OnTheFlyTiles& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Tiled(other, n, x_blocks, y_blocks), kernels_(other.kernels_), weights_(other.weights_) {}

    void pack(const float* w) {
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        parallel_for(units(), [&](size_t unit) {
            int64_t begin = unit * kBlock, count = std::min<int64_t>(kBlock, spec.k - begin);
            for (int64_t c = 0; c < spec.c; ++c)
                for (int64_t i = 0; i < count; ++i)
                    pack_filter(w + ((begin + i) * spec.c + c) * 9,
                                weights_.data() + (unit * spec.c + c) * kFilters + i);
        });
    }

    // In float64 and rounded once.
    static void pack_filter(const float* g, float* kept) {
        const Row* kept_rows = kOnTheFly.kept.rows;
        for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j) {
                double value = 0;
                for (int a = 0; a < 3; ++a)
                    for (int b = 0; b < 3; ++b)
                        value += kept_rows[i].at[a] * kept_rows[j].at[b] * g[a * 3 + b];
                kept[i * kRow + j * kBlock] = static_cast<float>(value);
            }
    }

    void multiply(const void* v, int64_t unit, int64_t tiles, float* products,
                  int64_t position_stride) const override {
        const float* patches = static_cast<const float*>(v);
        const int64_t passes = 6 * ceil_div(tiles, piece());
        for (int64_t c = 0; c < spec.c; c += kChannels) {
            const float* filters = weights_.data() + (unit * spec.c + c) * kFilters;
            RowProduct p{};
            p.channels = std::min(kChannels, spec.c - c);
            p.v_block = v_block();
            p.product_position = position_stride;
            p.accumulate = c > 0;
            p.ahead = filters + p.channels * kFilters;
            // Fetched while these channels are used, a few lines per channel in each pass.
            int64_t lines = std::min<int64_t>(kFilters / kBlock,
                                              (weights_.data() + weights_.size() - p.ahead) /
                                                  (p.channels * kBlock));
            for (int row = 0; row < 6; ++row) {
                set_filters(p, filters, row);
                for (int64_t tile = 0; tile < tiles; tile += piece()) {
                    p.tiles = static_cast<int>(std::min(piece(), tiles - tile));
                    p.v = patches + place(tile) + row * 6 * v_position() + c / kBlock * v_block();
                    p.products = products + row * 6 * position_stride + tile * kBlock;
                    p.lines = static_cast<int>(
                        std::min(ceil_div(kFilters / kBlock, passes), lines));
                    kernels_.multiply(p);
                    lines -= p.lines;
                    p.ahead += p.lines * p.channels * kBlock;
                }
            }
        }
    }

    static void set_filters(RowProduct& p, const float* filters, int row) {
        const bool ends = row == 0 || row == 5;
        p.form = ends ? Form::ends : row % 2 ? Form::plus : Form::minus;
        p.first = filters + (row < 3 ? 0 : 2) * kRow;
        p.second = filters + (!ends ? 1 : row < 3 ? 2 : 0) * kRow;
    }

    const OnTheFlyKernels& kernels_;
    Buffer weights_;
};

}  // namespace
}  // namespace winograd

std::unique_ptr<Convolution> make_winograd_on_the_fly(const ConvSpec& spec,
                                                      const Filters& filters) {
    return std::make_unique<winograd::OnTheFlyTiles>(spec, filters, winograd::active_kernels());
}

}  // namespace darter
