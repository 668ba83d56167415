#include "conv/fft/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const FftKernels fft_kernels;
const FftKernels fft_kernels = fft::kernels<Vector>();

}  // namespace darter::scalar
