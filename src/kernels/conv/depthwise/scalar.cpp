#include "conv/depthwise/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const DepthwiseKernel depthwise_row;
const DepthwiseKernel depthwise_row = depthwise::run<Vector>;

}  // namespace darter::scalar
