#include "conv/winograd/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const WinogradKernels winograd_kernels;
const WinogradKernels winograd_kernels = winograd::kernels<Vector>();

}  // namespace darter::avx512
