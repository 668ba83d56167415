#include "conv/winograd/on_the_fly_kernel.hpp"
#include "simd/neon.hpp"

namespace darter::neon {

extern const WinogradKernels winograd_kernels;
const WinogradKernels winograd_kernels = winograd::kernels<Vector>();

extern const winograd::OnTheFlyKernels on_the_fly_kernels;
const winograd::OnTheFlyKernels on_the_fly_kernels = winograd::on_the_fly_kernels<Vector>();

}  // namespace darter::neon
