#include "peak/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const PeakKernels peak_kernels;
const PeakKernels peak_kernels = peak::kernels<Vector>();

}  // namespace darter::neon
