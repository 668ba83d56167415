#include "activation/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const ActivationKernel activate;
const ActivationKernel activate = activation::run<Vector>;

}  // namespace darter::avx2
