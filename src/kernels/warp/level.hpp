// The picture, or an average of it, as what `sample_row` looks into.
#pragma once
#include <vector>

#include "warp/resampler.hpp"
#include "warp/survey.hpp"

namespace darter::warp {

// The pixels that the extents tell, borders included. It lives as long as the picture and `buffers`.
Level level_of(const Picture& picture, Border border, const uint8_t fill[3], const Extent& across,
               const Extent& down, Scratch& buffers, const Rows& rows);

LevelMap into_level(const Map& map, const Extent& across, const Extent& down);

}  // namespace darter::warp
