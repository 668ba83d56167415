#include "peak/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const PeakKernels peak_kernels;
const PeakKernels peak_kernels = peak::kernels<Vector>();

}  // namespace darter::avx2
