#include "conv/fft/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const FftKernels fft_kernels;
const FftKernels fft_kernels = fft::kernels<Vector>();

}  // namespace darter::avx512
