#include "net/vector/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const VectorKernels vector_kernels;
const VectorKernels vector_kernels = vector::kernels<Vector>();

}  // namespace darter::avx2
