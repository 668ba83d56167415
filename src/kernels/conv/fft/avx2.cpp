#include "conv/fft/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const FftKernels fft_kernels;
const FftKernels fft_kernels = fft::kernels<Vector>();

}  // namespace darter::avx2
