// Which pixels of a picture are looked at, also from beyond its border.
#pragma once
#include "warp/warp.hpp"

namespace darter::warp {

double clamp(double value, double low, double high);  // NaN becomes low

// Source pixel for any index: one reflection at each end, the last pixel of it beyond; -1: fill.
int64_t border_index(int64_t index, int64_t length, Border border);

// First and last pixel + 1 that indices in [begin, end) look at; equal where all of it is fill.
struct Span {
    int64_t first, last;
};

Span span_of(int64_t begin, int64_t end, int64_t length, Border border);

}  // namespace darter::warp
