#include "conv/fft/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const FftKernels fft_kernels;
const FftKernels fft_kernels = fft::kernels<Vector>();

}  // namespace darter::neon
