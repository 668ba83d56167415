#include "rounding/kernel.hpp"

namespace darter::neon {

extern const RoundingKernels rounding_kernels;
const RoundingKernels rounding_kernels = kKernels;

}  // namespace darter::neon
