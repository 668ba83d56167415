// Arrays of bfloat16: what layers read and write where a plan keeps tensors in 16 bits. Sums are
// float32 in the caches; they are rounded once, to nearest with ties to even, when they leave.
#pragma once
#include <cstdint>

#include "runtime/isa.hpp"

namespace darter {

struct Bfloat16Arrays {  // counts are multiples of 16
    void (*widen)(const uint16_t* from, float* to, int64_t count);
    void (*round)(const float* from, uint16_t* to, int64_t count);
    void (*add)(const uint16_t* x, float* sums, int64_t count);  // sums += x
    // y = sums + residual (or null), within [low, high]
    void (*finish)(const float* sums, const uint16_t* residual, float low, float high, uint16_t* y,
                   int64_t count);
    // 16 numbers of two rows, in turns.
    void (*in_turns)(const float* first, const float* second, uint16_t* to);
};

const Bfloat16Arrays* bfloat16_arrays(Isa isa);  // null where the CPU has no bfloat16 for `isa`

}  // namespace darter
