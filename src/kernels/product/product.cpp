#include "product/product.hpp"

namespace darter {
namespace scalar { extern const ProductKernels product_kernels; }
namespace avx2 { extern const ProductKernels product_kernels; }
namespace neon { extern const ProductKernels product_kernels; }
namespace avx512 {
extern const ProductKernels product_kernels;
extern const ProductKernels bfloat16_product_kernels;
}
namespace amx { extern const ProductKernels bfloat16_product_kernels; }

namespace {

constexpr Dispatch<const ProductKernels*> kProducts{EVERY_ISA(product_kernels)};
constexpr Dispatch<const ProductKernels*> kBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::bfloat16_product_kernels),
    X86_ONLY(&amx::bfloat16_product_kernels)};

}  // namespace

const ProductKernels& product_kernels(Isa isa) { return *kProducts.of(isa); }

const ProductKernels* bfloat16_product_kernels(Isa isa) {
    return has_avx512_bf16() ? kBfloat16.of(isa) : nullptr;
}

}  // namespace darter
