#include "conv/depthwise/kernel.hpp"
#include "simd/avx2.hpp"

namespace darter::avx2 {

extern const DepthwiseKernel depthwise_row;
const DepthwiseKernel depthwise_row = depthwise::run<Vector>;

}  // namespace darter::avx2
