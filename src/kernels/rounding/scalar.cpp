#include "rounding/kernel.hpp"

namespace darter::scalar {

extern const RoundingKernels rounding_kernels;
const RoundingKernels rounding_kernels = kKernels;

}  // namespace darter::scalar
