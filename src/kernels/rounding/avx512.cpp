#include "rounding/kernel.hpp"

namespace darter::avx512 {

extern const RoundingKernels rounding_kernels;
const RoundingKernels rounding_kernels = kKernels;

}  // namespace darter::avx512
