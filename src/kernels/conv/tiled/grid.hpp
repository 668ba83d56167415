// How the outputs of a layer are cut into tiles. Not for files of one instruction set.
#pragma once
#include <algorithm>

#include "conv/convolution.hpp"
#include "conv/tiled/tiled.hpp"

namespace darter {

// A rectangle of an image. A block of channels of it is kept as [row][column][16].
struct Window {
    int64_t image, row, column;  // its first pixel
    int64_t rows, columns;

    int64_t pixels() const { return rows * columns; }
    int64_t offset(int64_t at_row, int64_t at_column) const {  // floats; may lie outside
        return ((at_row - row) * columns + at_column - column) * kBlock;
    }
};

class TileGrid {
public:
    TileGrid(const ConvSpec& spec, const TileTransform& t)
        : down(ceil_div(spec.out_h(), t.outputs_h)),
          across(ceil_div(spec.out_w(), t.outputs_w)),
          spec_(spec),
          t_(t) {}

    int64_t size() const { return spec_.n * down * across; }

    // The patch of a tile in some channel blocks of x; `v` is left to the caller.
    template <typename Number>
    InputTile patch(const Number* x, int64_t tile, int64_t block, int64_t blocks) const {
        int64_t plane = spec_.h * spec_.w * kBlock;
        Window image{place(tile).image, 0, 0, spec_.h, spec_.w};
        x += image.image * spec_.x_image() + block * plane;
        InputTile patch = patch_of(image, x, tile);
        patch.x_block = plane;
        patch.blocks = blocks;
        return patch;
    }

    // The same in one block of a window that has all of the patch that lies inside the image.
    template <typename Number>
    InputTile patch_of(const Window& window, const Number* pixels, int64_t tile) const {
        Place at = place(tile);
        int64_t top = at.row - spec_.pad_top, left = at.column - spec_.pad_left;
        auto inside = [](int64_t edge, int inputs) {
            return static_cast<int>(std::clamp<int64_t>(edge, 0, inputs));
        };
        return {.x = pixels + window.offset(top, left),
                .x_row = window.columns * kBlock,
                .step = t_.outputs_w,
                .top = inside(-top, t_.inputs_h),
                .left = inside(-left, t_.inputs_w),
                .bottom = inside(spec_.h - top, t_.inputs_h),
                .right = inside(spec_.w - left, t_.inputs_w),
                .blocks = 1};
    }

    // Where the outputs of a tile begin in a block of y, and how many lie inside the image.
    struct Outputs {
        int64_t at;
        int rows, columns;
    };
    Outputs outputs_at(int64_t tile, int64_t block) const {
        Place at = place(tile);
        int64_t plane = spec_.out_h() * spec_.out_w() * kBlock;
        int64_t pixel = at.row * spec_.out_w() + at.column;
        return {at.image * spec_.y_image() + block * plane + pixel * kBlock,
                static_cast<int>(std::min<int64_t>(t_.outputs_h, spec_.out_h() - at.row)),
                static_cast<int>(std::min<int64_t>(t_.outputs_w, spec_.out_w() - at.column))};
    }

    // The outputs of a tile in some filter blocks; products, bias and clamp are left to the caller.
    OutputTile outputs(float* y, const float* residual, int64_t tile, int64_t block,
                       int64_t blocks) const {
        int64_t plane = spec_.out_h() * spec_.out_w() * kBlock;
        Window image{place(tile).image, 0, 0, spec_.out_h(), spec_.out_w()};
        int64_t first = image.image * spec_.y_image() + block * plane;
        OutputTile out = outputs_of(image, y + first, residual ? residual + first : nullptr, tile);
        out.y_block = plane;
        out.blocks = blocks;
        return out;
    }

    // The same in one block of a window that has all of them.
    OutputTile outputs_of(const Window& window, float* pixels, const float* residual,
                          int64_t tile) const {
        Place at = place(tile);
        int64_t offset = window.offset(at.row, at.column);
        return {.blocks = 1,
                .residual = residual ? residual + offset : nullptr,
                .y = pixels + offset,
                .y_row = window.columns * kBlock,
                .rows = static_cast<int>(std::min<int64_t>(t_.outputs_h, spec_.out_h() - at.row)),
                .columns =
                    static_cast<int>(std::min<int64_t>(t_.outputs_w, spec_.out_w() - at.column))};
    }

    // The end of a run of tiles from `first` on, at most to `last`, whose patches lie in a window of
    // about so many pixels: part of a row of tiles, or whole rows of one image.
    int64_t run_end(int64_t first, int64_t last, int64_t pixels) const {
        int64_t column = first % across, row = first / across % down;
        int64_t more_h = t_.inputs_h - t_.outputs_h, more_w = t_.inputs_w - t_.outputs_w;
        int64_t rows = (pixels / spec_.w - more_h) / t_.outputs_h;
        if (column == 0 && rows > 0 && last - first >= across)
            return first + std::min({rows, down - row, (last - first) / across}) * across;
        int64_t columns = (pixels / t_.inputs_h - more_w) / t_.outputs_w;
        return std::min({last, first + std::max<int64_t>(1, columns), first + across - column});
    }

    // What the patches of a run of tiles see of the image.
    Window inputs_of_run(int64_t first, int64_t end) const {
        Place from = place(first), to = place(end - 1);
        return window(from, {from.image, to.row + t_.inputs_h, to.column + t_.inputs_w},
                      spec_.pad_top, spec_.pad_left, spec_.h, spec_.w);
    }
    Window outputs_of_run(int64_t first, int64_t end) const {
        Place from = place(first), to = place(end - 1);
        return window(from, {from.image, to.row + t_.outputs_h, to.column + t_.outputs_w}, 0, 0,
                      spec_.out_h(), spec_.out_w());
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

    // The part inside an image of h x w pixels, before which lie `top` and `left` pixels of padding.
    static Window window(Place from, Place to, int64_t top, int64_t left, int64_t h, int64_t w) {
        int64_t row = std::clamp<int64_t>(from.row - top, 0, h);
        int64_t column = std::clamp<int64_t>(from.column - left, 0, w);
        return {from.image, row, column, std::clamp<int64_t>(to.row - top, row, h) - row,
                std::clamp<int64_t>(to.column - left, column, w) - column};
    }

    const ConvSpec spec_;
    const TileTransform t_;
};

}  // namespace darter
