// Convolution by Fourier transforms of overlapping tiles (overlap-save): the first n - R + 1 outputs
// of a circular correlation are those of the plain one. The cost per output hardly depends on the
// filter size, so it pays for large filters.
#include "conv/fft/fft.hpp"

#include <cmath>
#include <complex>
#include <numbers>
#include <stdexcept>

#include "conv/tiled/filters.hpp"

namespace darter {
namespace scalar { extern const FftKernels fft_kernels; }
#if defined(__x86_64__)
namespace avx2 { extern const FftKernels fft_kernels; }
namespace avx512 { extern const FftKernels fft_kernels; }
#endif

namespace {

const FftKernels& active_kernels() {
#if defined(__x86_64__)
    if (active_isa() == Isa::avx512) return avx512::fft_kernels;
    if (active_isa() == Isa::avx2) return avx2::fft_kernels;
#endif
    return scalar::fft_kernels;
}

// conj(DFT(g)) / n², at the positions that the kernels use.
class FilterSpectrum {
public:
    FilterSpectrum(int side, int64_t r, int64_t s) : n_(side), r_(r), s_(s), roots_(side) {
        for (int k = 0; k < n_; ++k)
            roots_[k] = std::polar(1.0, 2 * std::numbers::pi * k / n_);  // conjugated already
    }

    void operator()(const float* g, double* u) const {
        const int bins = n_ / 2 + 1;
        std::vector<std::complex<double>> rows(r_ * bins);
        for (int64_t a = 0; a < r_; ++a)
            for (int j = 0; j < bins; ++j)
                for (int64_t b = 0; b < s_; ++b)
                    rows[a * bins + j] += roots_[b * j % n_] * static_cast<double>(g[a * s_ + b]);
        for (int j = 0; j < bins; ++j)
            for (int i = 0; i < (j == 0 || j == n_ / 2 ? bins : n_); ++i) {
                std::complex<double> sum = 0;
                for (int64_t a = 0; a < r_; ++a) sum += roots_[a * i % n_] * rows[a * bins + j];
                *u++ = sum.real() / (n_ * n_);
                *u++ = sum.imag() / (n_ * n_);
            }
    }

private:
    int n_;
    int64_t r_, s_;
    std::vector<std::complex<double>> roots_;
};

}  // namespace

std::unique_ptr<Convolution> make_fft(const ConvSpec& spec, const Filters& filters, int side) {
    for (const auto& kernel : active_kernels().all) {
        if (kernel.side != side || spec.r > side || spec.s > side) continue;
        TileTransform t{side, side, side - static_cast<int>(spec.r) + 1,
                        side - static_cast<int>(spec.s) + 1,
                        (side / 2 - 1) * side + 2 * (side / 2 + 1), 2, kernel.input, kernel.output};
        return make_tiled(spec, filters, t, Precision::float32,
                          FilterSpectrum(side, spec.r, spec.s));
    }
    throw std::invalid_argument("no Fourier tile of this side for these filters");
}

}  // namespace darter
