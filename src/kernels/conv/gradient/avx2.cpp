#include "conv/gradient/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

// 12 sums of 8 lanes, 2 of dy and 1 of x in 16 registers
extern const GradientKernels gradient_kernels;
const GradientKernels gradient_kernels = gradient::kernels<Vector, 6, 1>();

}  // namespace darter::avx2
