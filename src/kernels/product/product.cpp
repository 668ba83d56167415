#include "product/product.hpp"

namespace darter {
namespace scalar { extern const ProductKernels product_kernels; }
namespace avx2 { extern const ProductKernels product_kernels; }
namespace avx512 {
extern const ProductKernels product_kernels;
extern const Bfloat16Kernels bfloat16_kernels;
}
namespace amx { extern const Bfloat16Kernels bfloat16_kernels; }

namespace {

constexpr Dispatch<const ProductKernels*> kProducts{
    &scalar::product_kernels, X86_ONLY(&avx2::product_kernels),
    X86_ONLY(&avx512::product_kernels)};
constexpr Dispatch<const Bfloat16Kernels*> kBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::bfloat16_kernels), X86_ONLY(&amx::bfloat16_kernels)};

}  // namespace

const ProductKernels& product_kernels(Isa isa) { return *kProducts.of(isa); }

const Bfloat16Kernels* bfloat16_kernels(Isa isa) {
    return has_avx512_bf16() ? kBfloat16.of(isa) : nullptr;
}

}  // namespace darter
