#include "activation/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const ActivationKernel activate;
const ActivationKernel activate = activation::run<Vector>;

}  // namespace darter::neon
