#include "conv/gradient/pairs.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace avx512 { extern const PairKernels pair_kernels; }

namespace {

constexpr Dispatch<const PairKernels*> kKernels{nullptr, nullptr, X86_ONLY(&avx512::pair_kernels)};

}  // namespace

const PairKernels* pair_kernels() { return has_avx512_bf16() ? kKernels.active() : nullptr; }

}  // namespace darter
