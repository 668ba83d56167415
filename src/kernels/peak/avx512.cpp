#include "peak/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const PeakKernels peak_kernels;
const PeakKernels peak_kernels = peak::kernels<Vector>();

}  // namespace darter::avx512
