#include "net/vector/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const VectorKernels vector_kernels; }
#if defined(__x86_64__)
namespace avx2 { extern const VectorKernels vector_kernels; }
namespace avx512 { extern const VectorKernels vector_kernels; }
#endif

const VectorKernels& vector_kernels() {
#if defined(__x86_64__)
    if (active_isa() >= Isa::avx512) return avx512::vector_kernels;
    if (active_isa() == Isa::avx2) return avx2::vector_kernels;
#endif
    return scalar::vector_kernels;
}

}  // namespace darter
