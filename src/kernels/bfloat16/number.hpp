// Rounding to bfloat16. Not for files of one instruction set (inline functions).
#pragma once
#include <bit>
#include <cstdint>

namespace darter {

// To nearest, ties to even; NaN stays NaN.
inline uint16_t to_bfloat16(float x) {
    uint32_t bits = std::bit_cast<uint32_t>(x);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t quiet = bits >> 16 | 0x40;
    return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

inline float from_bfloat16(uint16_t x) {
    return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

}  // namespace darter
