#include "activation/activation.hpp"

#include <limits>

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const ActivationKernel activate; }
#if defined(__x86_64__)
namespace avx2 { extern const ActivationKernel activate; }
namespace avx512 { extern const ActivationKernel activate; }
#endif

float Activation::low() const {
    if (kind == relu) return 0;
    return kind == clip ? a : -std::numeric_limits<float>::infinity();
}

float Activation::high() const {
    return kind == clip ? b : std::numeric_limits<float>::infinity();
}

ActivationKernel activation_kernel() {
#if defined(__x86_64__)
    if (active_isa() >= Isa::avx512) return avx512::activate;
    if (active_isa() == Isa::avx2) return avx2::activate;
#endif
    return scalar::activate;
}

}  // namespace darter
