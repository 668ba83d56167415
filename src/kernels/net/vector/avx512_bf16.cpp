#include "net/vector/kernel.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {

extern const PoolKernels pool_kernels_of_bfloat16;
const PoolKernels pool_kernels_of_bfloat16 = {
    vector::down<Vector, vector::Max, Bfloat16>, vector::down<Vector, vector::Add, Bfloat16>};

}  // namespace darter::avx512
