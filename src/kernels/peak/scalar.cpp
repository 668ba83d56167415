#include "peak/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const PeakKernels peak_kernels;
const PeakKernels peak_kernels = peak::kernels<Vector>();

}  // namespace darter::scalar
