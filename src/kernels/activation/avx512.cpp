#include "activation/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const ActivationKernel activate;
const ActivationKernel activate = activation::run<Vector>;

}  // namespace darter::avx512
