#include "net/vector/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const VectorKernels vector_kernels;
const VectorKernels vector_kernels = vector::kernels<Vector>();

}  // namespace darter::neon
