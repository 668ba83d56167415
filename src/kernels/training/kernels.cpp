#include "training/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const TrainingKernels training_kernels; }
namespace avx2 { extern const TrainingKernels training_kernels; }
namespace avx512 { extern const TrainingKernels training_kernels; }

namespace {

constexpr Dispatch<const TrainingKernels*> kKernels{
    &scalar::training_kernels, X86_ONLY(&avx2::training_kernels),
    X86_ONLY(&avx512::training_kernels)};

}  // namespace

const TrainingKernels& training_kernels() { return *kKernels.active(); }

}  // namespace darter
