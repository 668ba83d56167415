#include "activation/activation.hpp"

#include <limits>

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const ActivationKernel activate; }
namespace avx2 { extern const ActivationKernel activate; }
namespace neon { extern const ActivationKernel activate; }
namespace avx512 { extern const ActivationKernel activate; }

float Activation::low() const {
    if (kind == relu) return 0;
    return kind == clip ? a : -std::numeric_limits<float>::infinity();
}

float Activation::high() const {
    return kind == clip ? b : std::numeric_limits<float>::infinity();
}

namespace {

constexpr Dispatch<const ActivationKernel*> kActivate{EVERY_ISA(activate)};

}  // namespace

ActivationKernel activation_kernel() { return *kActivate.active(); }

}  // namespace darter
