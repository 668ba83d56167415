#include "training/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const TrainingKernels training_kernels;
const TrainingKernels training_kernels = training::kernels<Vector>();

}  // namespace darter::scalar
