#include "conv/depthwise/kernel.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {

extern const DepthwiseKernel depthwise_row_of_bfloat16;
const DepthwiseKernel depthwise_row_of_bfloat16 = depthwise::run<Vector, Bfloat16>;

}  // namespace darter::avx512
