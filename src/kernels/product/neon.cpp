#include "product/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

// 24 sums of 4 lanes, 4 of b and 1 of a in 32 registers
extern const ProductKernels product_kernels;
const ProductKernels product_kernels = product::kernels<product::Single<Vector>, 6, 1>();

}  // namespace darter::neon
