#include "conv/gradient/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

// 24 sums of 16 lanes, 3 of dy and 1 of x in 32 registers
extern const GradientKernels gradient_kernels;
const GradientKernels gradient_kernels = gradient::kernels<Vector, 8, 3>();

}  // namespace darter::avx512
