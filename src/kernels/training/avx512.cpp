#include "training/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const TrainingKernels training_kernels;
const TrainingKernels training_kernels = training::kernels<Vector>();

}  // namespace darter::avx512
