#include "bfloat16/arrays.hpp"

namespace darter {
namespace avx512 { extern const Bfloat16Arrays bfloat16_arrays; }

namespace {

constexpr Dispatch<const Bfloat16Arrays*> kArrays{nullptr, nullptr,
                                                  X86_ONLY(&avx512::bfloat16_arrays)};

}  // namespace

const Bfloat16Arrays* bfloat16_arrays(Isa isa) {
    return has_avx512_bf16() ? kArrays.of(isa) : nullptr;
}

}  // namespace darter
