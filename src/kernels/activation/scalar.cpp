#include "activation/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const ActivationKernel activate;
const ActivationKernel activate = activation::run<Vector>;

}  // namespace darter::scalar
