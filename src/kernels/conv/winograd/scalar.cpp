#include "conv/winograd/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const WinogradKernels winograd_kernels;
const WinogradKernels winograd_kernels = winograd::kernels<Vector>();

}  // namespace darter::scalar
