// Pixels of an input along one axis, sorted by the taps that see them: those of a phase are `stride`
// apart. Not for files of one instruction set.
#pragma once
#include <algorithm>
#include <vector>

#include "product/tiling.hpp"

namespace darter {

// Pixel q of a phase lies at q * stride + offset, and tap i sees it from output q - back[i].
struct Phase {
    int64_t offset;
    int64_t first, last;  // pixels q inside the image
    std::vector<int64_t> taps, back;
};

inline std::vector<Phase> phases(int64_t stride, int64_t dilation, int64_t taps, int64_t pad,
                                 int64_t size) {
    std::vector<Phase> all;
    for (int64_t a = 0; a < stride; ++a) {
        const int64_t offset = a - pad;
        Phase phase{offset, offset < 0 ? ceil_div(-offset, stride) : 0,
                    offset > size - 1 ? 0 : ceil_div(size - offset, stride), {}, {}};
        if (phase.first >= phase.last) continue;
        for (int64_t tap = 0; tap < taps; ++tap)
            if (tap * dilation % stride == a) {
                phase.taps.push_back(tap);
                phase.back.push_back((tap * dilation - a) / stride);
            }
        all.push_back(std::move(phase));
    }
    return all;
}

}  // namespace darter
