#include "conv/depthwise/kernel.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {

using depthwise::Kinds;

extern const DepthwiseKernel depthwise_row_of_bfloat16;
const DepthwiseKernel depthwise_row_of_bfloat16 =
    depthwise::run<Vector, Kinds<Bfloat16, Float32<Vector>>>;

extern const DepthwiseKernel depthwise_row_in_bfloat16;
const DepthwiseKernel depthwise_row_in_bfloat16 = depthwise::run<Vector, Kinds<Bfloat16, Bfloat16>>;

}  // namespace darter::avx512
