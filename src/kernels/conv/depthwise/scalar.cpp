#include "conv/depthwise/kernel.hpp"
#include "simd/scalar.hpp"

namespace darter::scalar {

extern const DepthwiseKernel depthwise_row;
const DepthwiseKernel depthwise_row = depthwise::row<Vector>;

}  // namespace darter::scalar
