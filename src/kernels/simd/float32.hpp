// Numbers that are kept as they are computed with: what kernels over a vector type take where
// `Bfloat16` of avx512_bf16.hpp could stand.
#pragma once

namespace darter {

template <class V>
struct Float32 {
    using Element = float;
    static V load(const float* from) { return V::load(from); }
    static void store(V x, float* to) { x.store(to); }
};

}  // namespace darter
