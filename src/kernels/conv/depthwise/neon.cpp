#include "conv/depthwise/kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const DepthwiseKernel depthwise_row;
const DepthwiseKernel depthwise_row = depthwise::run<Vector>;

}  // namespace darter::neon
