#include "conv/winograd/kernel.hpp"
#include "simd/avx512.hpp"

namespace darter::avx512 {

extern const WinogradKernels winograd_kernels[3];
const WinogradKernels winograd_kernels[3] = {
    winograd::kernels<Vector, 2>(), winograd::kernels<Vector, 4>(), winograd::kernels<Vector, 6>()};

}  // namespace darter::avx512
