#include "conv/gradient/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const GradientKernels gradient_kernels; }
namespace avx2 { extern const GradientKernels gradient_kernels; }
namespace neon { extern const GradientKernels gradient_kernels; }
namespace avx512 { extern const GradientKernels gradient_kernels; }

namespace {

constexpr Dispatch<const GradientKernels*> kKernels{EVERY_ISA(gradient_kernels)};

}  // namespace

const GradientKernels& gradient_kernels() { return *kKernels.active(); }

}  // namespace darter
