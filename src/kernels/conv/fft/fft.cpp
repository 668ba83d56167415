// Convolution by Fourier transforms of overlapping tiles (overlap-save): the first n - R + 1 outputs
// of a circular correlation are those of the plain one. The cost per output hardly depends on the
// filter size, so it pays for large filters.
#include "conv/fft/fft.hpp"

#include <stdexcept>

#include "conv/fft/spectrum.hpp"
#include "conv/tiled/filters.hpp"

namespace darter {
namespace scalar { extern const FftKernels fft_kernels; }
namespace avx2 { extern const FftKernels fft_kernels; }
namespace neon { extern const FftKernels fft_kernels; }
namespace avx512 { extern const FftKernels fft_kernels; }

namespace {

constexpr Dispatch<const FftKernels*> kKernels{EVERY_ISA(fft_kernels)};

}  // namespace

const FftKernels& active_fft_kernels() { return *kKernels.active(); }

TileTransform fft_transform(int side, int64_t r, int64_t s) {
    for (const FftTile& tile : active_fft_kernels().all)
        if (tile.side == side && r <= side && s <= side)
            return {side, side, side - static_cast<int>(r) + 1, side - static_cast<int>(s) + 1,
                    (side / 2 - 1) * side + 2 * (side / 2 + 1), 2, tile.input, tile.output};
    throw std::invalid_argument("no Fourier tile of this side for these filters");
}

std::unique_ptr<Convolution> make_fft(const ConvSpec& spec, const Filters& filters, int side) {
    if (spec.groups > 1) return make_depthwise_fft(spec, filters, side);
    return make_tiled(spec, filters, fft_transform(side, spec.r, spec.s), Precision::float32,
                      FilterSpectrum(side, spec.r, spec.s));
}

}  // namespace darter
