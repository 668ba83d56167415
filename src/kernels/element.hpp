// What the numbers of a tensor are kept as.
#pragma once
#include <cstdint>

namespace darter {

enum class Element { float32, bfloat16, uint8, int8, bit };

// Of so many numbers; single bits fill whole bytes.
inline int64_t bytes_of(Element element, int64_t count) {
    switch (element) {
        case Element::float32: return 4 * count;
        case Element::bfloat16: return 2 * count;
        case Element::bit: return (count + 7) / 8;
        default: return count;
    }
}

}  // namespace darter
