#include "product/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

// 12 sums of 4 lanes in 16 registers
extern const ProductKernels product_kernels;
const ProductKernels product_kernels = product::kernels<product::Single<Vector>, 3, 1>();

}  // namespace darter::scalar
