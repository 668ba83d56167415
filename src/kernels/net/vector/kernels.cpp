#include "net/vector/kernels.hpp"

#include "runtime/isa.hpp"

namespace darter {
namespace scalar { extern const VectorKernels vector_kernels; }
namespace avx2 { extern const VectorKernels vector_kernels; }
namespace neon { extern const VectorKernels vector_kernels; }
namespace avx512 {
extern const VectorKernels vector_kernels;
extern const PoolKernels pool_kernels_of_bfloat16;
}

namespace {

constexpr Dispatch<const VectorKernels*> kKernels{EVERY_ISA(vector_kernels)};

constexpr Dispatch<const PoolKernels*> kPoolsOfBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::pool_kernels_of_bfloat16)};

}  // namespace

const PoolKernels* pool_kernels_of_bfloat16() {
    return has_avx512_bf16() ? kPoolsOfBfloat16.active() : nullptr;
}

const VectorKernels& vector_kernels() { return *kKernels.active(); }

}  // namespace darter
