#include "net/vector/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const VectorKernels vector_kernels; }
namespace avx2 { extern const VectorKernels vector_kernels; }
namespace avx512 { extern const VectorKernels vector_kernels; }

namespace {

constexpr Dispatch<const VectorKernels*> kKernels{
    &scalar::vector_kernels, X86_ONLY(&avx2::vector_kernels), X86_ONLY(&avx512::vector_kernels)};

}  // namespace

const VectorKernels& vector_kernels() { return *kKernels.active(); }

}  // namespace darter
