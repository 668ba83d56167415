#include "product/product.hpp"

namespace darter {
namespace scalar { extern const ProductKernels product_kernels; }
#if defined(__x86_64__)
namespace avx2 { extern const ProductKernels product_kernels; }
namespace avx512 {
extern const ProductKernels product_kernels;
extern const Bfloat16Kernels bfloat16_kernels;
}
namespace amx { extern const Bfloat16Kernels bfloat16_kernels; }
#endif

const ProductKernels& product_kernels(Isa isa) {
#if defined(__x86_64__)
    if (isa >= Isa::avx512) return avx512::product_kernels;
    if (isa == Isa::avx2) return avx2::product_kernels;
#endif
    (void)isa;
    return scalar::product_kernels;
}

const Bfloat16Kernels* bfloat16_kernels(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::amx) return &amx::bfloat16_kernels;
    if (isa >= Isa::avx512 && has_avx512_bf16()) return &avx512::bfloat16_kernels;
#endif
    (void)isa;
    return nullptr;
}

}  // namespace darter
