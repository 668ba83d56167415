// What part of a picture a bent or turned map looks at, and how closely.
#pragma once
#include "warp/warp.hpp"

namespace darter::warp {

// Where a level lies along one axis: pixel k covers [origin + k * pitch, origin + (k + 1) * pitch).
struct Extent {
    double origin, pitch;
    int64_t count;
};

void survey(int64_t width, int64_t height, const Output& out, const Map& map, Extent& across,
            Extent& down);

}  // namespace darter::warp
