#include "warp/border.hpp"

#include <algorithm>

namespace darter::warp {

double clamp(double value, double low, double high) {
    return value > low ? std::min(value, high) : low;
}

int64_t border_index(int64_t index, int64_t length, Border border) {
    int64_t inside = std::clamp<int64_t>(index, 0, length - 1);
    if (border == Border::edge) return inside;
    if (border == Border::fill) return index == inside ? index : -1;
    index = std::clamp(index, -length, 2 * length - 1);
    if (index < 0) return -1 - index;
    return index < length ? index : 2 * length - 1 - index;
}

Span span_of(int64_t begin, int64_t end, int64_t length, Border border) {
    Span span{length, 0};
    for (int64_t i = begin; i < end; ++i) {
        int64_t source = border_index(i, length, border);
        if (source < 0) continue;
        span.first = std::min(span.first, source);
        span.last = std::max(span.last, source + 1);
    }
    span.first = std::min(span.first, span.last);
    return span;
}

}  // namespace darter::warp
