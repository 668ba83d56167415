// What convolutions by Fourier transforms share. Not for files of one instruction set.
#pragma once
#include <complex>
#include <numbers>
#include <vector>

#include "conv/fft/fft.hpp"

namespace darter {

const FftKernels& active_fft_kernels();

// Tiles of side x side pixels for R x S filters; throws where there are none.
TileTransform fft_transform(int side, int64_t r, int64_t s);

// conj(DFT(filter)) / n², at the positions that the kernels use.
class FilterSpectrum {
public:
    FilterSpectrum(int side, int64_t r, int64_t s) : n_(side), r_(r), s_(s), roots_(side) {
        for (int k = 0; k < n_; ++k)
            roots_[k] = std::polar(1.0, 2 * std::numbers::pi * k / n_);  // conjugated already
    }

    // g: R x S.   u: real and imaginary part of every position.
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

}  // namespace darter
