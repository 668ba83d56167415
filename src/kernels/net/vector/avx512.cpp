#include "net/vector/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const VectorKernels vector_kernels;
const VectorKernels vector_kernels = vector::kernels<Vector>();

}  // namespace darter::avx512
