// Depthwise convolution by Fourier transforms: each channel's tile is multiplied by its filter's
// spectrum, value by value, so a tile goes through all three stages in the L2 cache.
#include "conv/fft/spectrum.hpp"
#include "conv/tiled/grid.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

class DepthwiseFft final : public Convolution {
public:
    DepthwiseFft(const ConvSpec& spec, const Filters& filters, int side)
        : Convolution(spec, filters),
          t_(fft_transform(side, spec.r, spec.s)),
          spectra_(blocks_of(spec.c) * tile_floats()) {
        std::fill_n(spectra_.data(), spectra_.size(), 0.0f);
        FilterSpectrum spectrum(side, spec.r, spec.s);
        parallel_for(spec.c, [&](size_t c) {
            std::vector<double> u(t_.positions * t_.parts);
            spectrum(filters.w + c * spec.r * spec.s, u.data());
            float* to = spectra_.data() + c / kBlock * tile_floats() + c % kBlock;
            for (size_t i = 0; i < u.size(); ++i) to[i * kBlock] = static_cast<float>(u[i]);
        });
    }

    size_t weight_bytes() const override { return spectra_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new DepthwiseFft(*this, n, x_blocks, y_blocks));
    }

    void run(const float* x, float* y, const float* residual) const override {
        int64_t blocks = blocks_of(spec.c);
        parallel_for(blocks * spec.n * grid_.down, [&](size_t index) {
            int64_t block = index / (spec.n * grid_.down), line = index % (spec.n * grid_.down);
            for (int64_t tile = line * grid_.across; tile < (line + 1) * grid_.across; ++tile)
                run_tile(x, y, residual, block, tile);
        });
    }

private:
    DepthwiseFft(const DepthwiseFft& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : Convolution(other, n, x_blocks, y_blocks), t_(other.t_), spectra_(other.spectra_) {}

    int64_t tile_floats() const { return t_.positions * t_.parts * kBlock; }

    void run_tile(const float* x, float* y, const float* residual, int64_t block,
                  int64_t tile) const {
        float* v = scratch(Scratch::worker_a, tile_floats());
        InputTile in = grid_.patch(x, tile, block, 1);
        in.v = v;
        in.v_position = t_.parts * kBlock;
        in.v_part = kBlock;
        t_.input(in);
        multiply_(v, spectra_.data() + block * tile_floats(), t_.positions);

        OutputTile out = grid_.outputs(y, residual, tile, block, 1);
        out.products = v;
        out.position = t_.parts * kBlock;
        out.bias = bias_.data() + block * kBlock;
        out.low = low_;
        out.high = high_;
        t_.output(out);
        for (int row = 0; row < out.rows; ++row)
            activate(out.y + row * out.y_row, out.columns * kBlock);
    }

    const TileTransform t_;
    const TileGrid grid_{spec, t_};
    void (*const multiply_)(float*, const float*, int64_t) = active_fft_kernels().multiply;
    Buffer spectra_;
};

}  // namespace

std::unique_ptr<Convolution> make_depthwise_fft(const ConvSpec& spec, const Filters& filters,
                                                int side) {
    return std::make_unique<DepthwiseFft>(spec, filters, side);
}

}  // namespace darter
