#include "conv/gradient/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

// 8 sums of 4 lanes, 4 of dy and 1 of x in 16 registers
extern const GradientKernels gradient_kernels;
const GradientKernels gradient_kernels = gradient::kernels<Vector, 2, 1>();

}  // namespace darter::scalar
