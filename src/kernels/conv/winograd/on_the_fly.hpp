// F(4, 3) whose filters are transformed, wholly or along their rows, as they are multiplied.
//
// The points are 0, p, -p, q, -q and infinity with q = 1 / p. Instead of a line of taps a, b, c the
// sums x = a + p² c, y = p b, z = c + p² a are kept. Up to factors, which the outputs' transform
// takes over, the six values of a line are then
//
//     x - p² z,  x + y,  x - y,  z + y,  z - y,  z - p² x        at 0, p, -p, q, -q, infinity
//
// so that each half of a line, (x, y, z) or (z, y, x), is one product and two sums. A filter is
// kept as 9 numbers, or as 18 where its columns have been transformed before.
#pragma once
#include <cstdint>

#include "conv/tiled/tiled.hpp"

namespace darter::winograd {

// What a row of positions is made of: `first` as it is, or joined with `second`.
enum class Form { first, ends, plus, minus };

// Adds up three positions of a row, for a few tiles and all channels.
struct HalfRow {
    Form form;
    const float* first;    // rows of kept filters, from x on; or from z on, with column < 0
    const float* second;
    int64_t column;        // floats to the next number of the row
    int64_t channel;       // floats between channels
    int64_t channels;
    int blocks;            // of 16 filters that lie together; 1 ... OnTheFlyKernels::blocks
    const float* v[3];     // per position: [channel block][tile][16]
    int64_t v_block;
    int tiles;             // 1 ... OnTheFlyKernels::tiles
    float* products[3];    // per position: [tile][block][16]
    bool accumulate;       // start from what they hold
    const float* ahead;    // fetched meanwhile, one or two lines of 16 per channel; or null
    int lines;
};

struct OnTheFlyKernels {
    int tiles, blocks;
    void (*multiply)(const HalfRow&);
    TileTransform transform;
};

}  // namespace darter::winograd
