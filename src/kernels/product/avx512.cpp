#include "product/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

// 28 sums of 16 lanes, 2 of b and 1 of a in 32 registers
extern const ProductKernels product_kernels;
const ProductKernels product_kernels = product::kernels<product::Single<Vector>, 14, 2>();

}  // namespace darter::avx512
