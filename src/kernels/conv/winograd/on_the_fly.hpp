// F(4, 3) whose filters are transformed as they are multiplied.
//
// The points are 0, p, -p, q, -q and infinity with q = 1 / p. Instead of a line of taps a, b, c the
// sums x = a + p² c, y = p b, z = c + p² a are kept. Up to factors, which the outputs' transform
// takes over, the six values of a line are then
//
//     x - p² z,  x + y,  x - y,  z + y,  z - y,  z - p² x        at 0, p, -p, q, -q, infinity
//
// each one operation from them. So a filter is kept as 9 numbers instead of 36.
#pragma once
#include <cstdint>

#include "conv/tiled/tiled.hpp"
#include "product/product.hpp"

namespace darter::winograd {

// Floats of a row of 16 filters, x, y and z of each; and of their three rows.
constexpr int64_t kRow = 3 * kBlock, kFilters = 3 * kRow;

// How x, y and z of a row of positions come from two kept rows: first - p² second, first + second,
// first - second.
enum class Form { ends, plus, minus };

// Adds up the six positions of a row, for 16 filters, a few tiles and some channels.
struct RowProduct {
    Form form;
    const float *first, *second;  // rows of the first channel's filters
    int64_t channels;
    const float* v;               // [channel block: v_block apart][position][OnTheFlyKernels::tiles][16]
    int64_t v_block;
    int tiles;                    // 1 ... OnTheFlyKernels::tiles
    float* products;              // [position: product_position apart][tile][16]
    int64_t product_position;
    bool accumulate;              // add to what they hold
    const float* ahead;           // fetched to L2 meanwhile: so many lines of 16 per channel
    int lines;                    // 0 ... 2
};

struct OnTheFlyKernels {
    int tiles;
    void (*multiply)(const RowProduct&);
    TileTransform transform;
};

}  // namespace darter::winograd
