// Rows that become columns. Not for files of one instruction set.
#pragma once
#include <algorithm>
#include <cstdint>

namespace darter {

namespace turning {

using Four [[gnu::vector_size(16), gnu::aligned(4)]] = float;

inline Four load(const float* from) { return *reinterpret_cast<const Four*>(from); }
inline void store(Four values, float* to) { *reinterpret_cast<Four*>(to) = values; }

// Four rows, `row` floats apart, to four rows that are `line` floats apart.
inline void turn_four(const float* from, int64_t row, float* to, int64_t line) {
    using Order [[gnu::vector_size(16)]] = int;
    const Four r0 = load(from), r1 = load(from + row), r2 = load(from + 2 * row);
    const Four r3 = load(from + 3 * row);
    const Four a = __builtin_shuffle(r0, r1, Order{0, 4, 1, 5});
    const Four b = __builtin_shuffle(r2, r3, Order{0, 4, 1, 5});
    const Four c = __builtin_shuffle(r0, r1, Order{2, 6, 3, 7});
    const Four d = __builtin_shuffle(r2, r3, Order{2, 6, 3, 7});
    store(__builtin_shuffle(a, b, Order{0, 1, 4, 5}), to);
    store(__builtin_shuffle(a, b, Order{2, 3, 6, 7}), to + line);
    store(__builtin_shuffle(c, d, Order{0, 1, 4, 5}), to + 2 * line);
    store(__builtin_shuffle(c, d, Order{2, 3, 6, 7}), to + 3 * line);
}

}  // namespace turning

// `rows` rows of `count` floats, `row` floats apart, to `count` lines of `line` floats each, of which
// those past `rows` become 0.
inline void turn(const float* from, int64_t row, int64_t rows, int64_t count, float* to,
                 int64_t line) {
    const int64_t fours = rows / 4 * 4, whole = count / 4 * 4;
    for (int64_t i = 0; i < fours; i += 4) {
        for (int64_t j = 0; j < whole; j += 4)
            turning::turn_four(from + i * row + j, row, to + j * line + i, line);
        for (int64_t j = whole; j < count; ++j)
            for (int64_t k = i; k < i + 4; ++k) to[j * line + k] = from[k * row + j];
    }
    for (int64_t j = 0; j < count; ++j) {
        for (int64_t k = fours; k < rows; ++k) to[j * line + k] = from[k * row + j];
        std::fill(to + j * line + rows, to + (j + 1) * line, 0.0f);
    }
}

}  // namespace darter
