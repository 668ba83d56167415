#include "net/vector/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const VectorKernels vector_kernels;
const VectorKernels vector_kernels = vector::kernels<Vector>();

}  // namespace darter::scalar
