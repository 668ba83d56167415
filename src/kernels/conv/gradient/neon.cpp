#include "conv/gradient/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

// 24 sums of 4 lanes, 4 of dy and 1 of x in 32 registers
extern const GradientKernels gradient_kernels;
const GradientKernels gradient_kernels = gradient::kernels<Vector, 6, 1>();

}  // namespace darter::neon
