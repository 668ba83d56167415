#include "training/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const TrainingKernels training_kernels;
const TrainingKernels training_kernels = training::kernels<Vector>();

}  // namespace darter::neon
