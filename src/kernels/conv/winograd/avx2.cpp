#include "conv/winograd/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const WinogradKernels winograd_kernels;
const WinogradKernels winograd_kernels = winograd::kernels<Vector>();

}  // namespace darter::avx2
