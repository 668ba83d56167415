// Cutting work into pieces. Not for files of one instruction set: inline functions that they emit
// could be the ones the linker keeps for everybody.
#pragma once
#include <cstdint>

namespace darter {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The size of the fewest, most equal pieces of `count` that have at most `most` each.
inline int64_t even_piece(int64_t count, int64_t most) {
    return ceil_div(count, ceil_div(count, most));
}

}  // namespace darter
