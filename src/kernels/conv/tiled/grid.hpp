// How the outputs of a layer are cut into tiles. Not for files of one instruction set.
#pragma once
#include <algorithm>

#include "conv/convolution.hpp"
#include "conv/tiled/tiled.hpp"

namespace darter {

class TileGrid {
public:
    TileGrid(const ConvSpec& spec, const TileTransform& t)
        : down(ceil_div(spec.out_h(), t.outputs_h)),
          across(ceil_div(spec.out_w(), t.outputs_w)),
          spec_(spec),
          t_(t) {}

    int64_t size() const { return spec_.n * down * across; }

    // The patch of a tile in some channel blocks of x; `v` is left to the caller.
    InputTile patch(const float* x, int64_t tile, int64_t block, int64_t blocks) const {
        Place at = place(tile);
        int64_t plane = spec_.h * spec_.w * kBlock;
        int64_t top = at.row - spec_.pad_top, left = at.column - spec_.pad_left;
        auto inside = [](int64_t edge, int inputs) {
            return static_cast<int>(std::clamp<int64_t>(edge, 0, inputs));
        };
        return {.x = x + at.image * spec_.x_image() + block * plane +
                     (top * spec_.w + left) * kBlock,
                .x_row = spec_.w * kBlock,
                .x_block = plane,
                .step = t_.outputs_w,
                .top = inside(-top, t_.inputs_h),
                .left = inside(-left, t_.inputs_w),
                .bottom = inside(spec_.h - top, t_.inputs_h),
                .right = inside(spec_.w - left, t_.inputs_w),
                .blocks = blocks};
    }

    // The outputs of a tile in some filter blocks; products, bias and clamp are left to the caller.
    OutputTile outputs(float* y, const float* residual, int64_t tile, int64_t block,
                       int64_t blocks) const {
        Place at = place(tile);
        int64_t out_h = spec_.out_h(), out_w = spec_.out_w(), plane = out_h * out_w * kBlock;
        int64_t index = at.image * spec_.y_image() + block * plane +
                        (at.row * out_w + at.column) * kBlock;
        return {.blocks = blocks,
                .residual = residual ? residual + index : nullptr,
                .y = y + index,
                .y_row = out_w * kBlock,
                .y_block = plane,
                .rows = static_cast<int>(std::min<int64_t>(t_.outputs_h, out_h - at.row)),
                .columns = static_cast<int>(std::min<int64_t>(t_.outputs_w, out_w - at.column))};
    }

    const int64_t down, across;  // tiles of an image

private:
    struct Place {
        int64_t image, row, column;  // of the tile's top left output
    };
    Place place(int64_t tile) const {
        return {tile / across / down, tile / across % down * t_.outputs_h,
                tile % across * t_.outputs_w};
    }

    const ConvSpec spec_;
    const TileTransform t_;
};

}  // namespace darter
