#include "training/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const TrainingKernels training_kernels; }
namespace avx2 { extern const TrainingKernels training_kernels; }
namespace neon { extern const TrainingKernels training_kernels; }
namespace avx512 { extern const TrainingKernels training_kernels; }

namespace {

constexpr Dispatch<const TrainingKernels*> kKernels{EVERY_ISA(training_kernels)};

}  // namespace

const TrainingKernels& training_kernels() { return *kKernels.active(); }

}  // namespace darter
