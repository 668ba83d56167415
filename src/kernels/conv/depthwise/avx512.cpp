#include "conv/depthwise/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const DepthwiseKernel depthwise_row;
const DepthwiseKernel depthwise_row = depthwise::run<Vector>;

}  // namespace darter::avx512
