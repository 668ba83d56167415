#include "product/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

// 12 sums of 8 lanes, 2 of b and 1 of a in 16 registers
extern const ProductKernels product_kernels;
const ProductKernels product_kernels = product::kernels<product::Single<Vector>, 6, 1>();

}  // namespace darter::avx2
