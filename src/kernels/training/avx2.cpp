#include "training/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const TrainingKernels training_kernels;
const TrainingKernels training_kernels = training::kernels<Vector>();

}  // namespace darter::avx2
