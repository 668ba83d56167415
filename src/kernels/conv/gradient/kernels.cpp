#include "conv/gradient/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const GradientKernels gradient_kernels; }
namespace avx2 { extern const GradientKernels gradient_kernels; }
namespace avx512 { extern const GradientKernels gradient_kernels; }

namespace {

constexpr Dispatch<const GradientKernels*> kKernels{
    &scalar::gradient_kernels, X86_ONLY(&avx2::gradient_kernels),
    X86_ONLY(&avx512::gradient_kernels)};

}  // namespace

const GradientKernels& gradient_kernels() { return *kKernels.active(); }

}  // namespace darter
