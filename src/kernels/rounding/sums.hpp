// Rounding the rows of a matrix to bfloat16 so that the sum of each row is kept.
#pragma once
#include <cstdint>

namespace darter {

// from, to: `count` numbers, not the same. Each becomes one of its two neighbors in bfloat16: the nearest,
// save for a few near the middle, which go the other way until the errors of the row about cancel.
void round_row_keeping_sum(const float* from, float* to, int64_t count);

}  // namespace darter
