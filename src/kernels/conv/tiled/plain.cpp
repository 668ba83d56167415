// Plain arrays, (N, C, H, W). A window of one block of channels after the other is changed to or
// from the blocked layout, for a run of tiles, and is used while it is in the L1 cache.
#include "conv/tiled/driver.hpp"

namespace darter {
namespace {

// Pixels that the patches of a window span: 32 KiB; those of outputs may come from L2.
constexpr int64_t kPixelsIn = 512, kPixelsOut = 1024;

// Calls body(first float in the plane, in the window, size) for what lies together in both.
template <typename Body>
void each_line(const Window& window, int64_t width, BlockOfPlanes size, const Body& body) {
    const bool whole = window.columns == width;
    size.pixels = whole ? window.pixels() : window.columns;
    for (int64_t row = 0; row < window.rows; row += whole ? window.rows : 1)
        body((window.row + row) * width + window.column, row * window.columns * kBlock, size);
}

// Floats to the window of the next run, nearly.
int64_t to_next(const Window& window, int64_t width) {
    return window.columns == width ? window.pixels() : window.columns;
}

// The planes of a block of channels.
BlockOfPlanes planes_of(int64_t channels, int64_t block, int64_t pixels) {
    return {.plane = pixels,
            .channels = std::min<int64_t>(kBlock, channels - block * kBlock),
            .pixels = 0,
            .ahead = 0};
}

}  // namespace

void Tiled::transform_plain(const float* x, void* v, int64_t group, int64_t first,
                            int64_t last) const {
    const int64_t plane = spec.h * spec.w;
    for (int64_t end; first < last; first = end) {
        end = grid_.run_end(first, last, kPixelsIn);
        const Window window = grid_.inputs_of_run(first, end);
        float* pixels = scratch(Scratch::window_in, window.pixels() * kBlock);
        for (int64_t block = 0; block < blocks_of(spec.c); ++block) {
            const float* planes = x + (window.image * spec.c + block * kBlock) * plane;
            BlockOfPlanes size = planes_of(spec.c, block, plane);
            size.ahead = block + 1 < blocks_of(spec.c)
                             ? kBlock * plane
                             : to_next(window, spec.w) - block * kBlock * plane;
            each_line(window, spec.w, size,
                      [&](int64_t from, int64_t to, const BlockOfPlanes& line) {
                          layout_kernels_.to_block(planes + from, pixels + to, line);
                      });
            for (int64_t tile = first; tile < end; ++tile) {
                InputTile patch = grid_.patch_of(window, pixels, tile);
                patch.v = operands_.at(v, place(tile - group) + block * v_block_);
                patch.v_position = v_position_;
                patch.v_part = v_part_;
                patch.v_next = kBlock;
                patch.step = 0;  // everything is in the cache
                t_.input(patch);
            }
        }
    }
}

void Tiled::finish_plain(const Products& products, int64_t unit, int64_t first, int64_t last,
                         float* y, const float* residual) const {
    const int64_t plane = spec.out_h() * spec.out_w(), group = first;
    for (int64_t end; first < last; first = end) {
        end = grid_.run_end(first, last, kPixelsOut);
        const Window window = grid_.outputs_of_run(first, end);
        const int64_t floats = window.pixels() * kBlock;
        float* pixels = scratch(Scratch::window_out, (residual ? 2 : 1) * floats);
        float* added = residual ? pixels + floats : nullptr;
        for (int64_t i = 0; i < unit_blocks(unit); ++i) {
            const int64_t block = unit * layout_.blocks + i;
            const int64_t planes = (window.image * spec.k + block * kBlock) * plane;
            BlockOfPlanes size = planes_of(spec.k, block, plane);
            if (residual)
                each_line(window, spec.out_w(), size,
                          [&](int64_t from, int64_t to, const BlockOfPlanes& line) {
                              layout_kernels_.to_block(residual + planes + from, added + to, line);
                          });
            for (int64_t tile = first; tile < end; ++tile) {
                OutputTile out = grid_.outputs_of(window, pixels, added, tile);
                t_.output(completed(out, products, tile - group, block));
            }
            activate(pixels, floats);
            size.ahead = to_next(window, spec.out_w());
            each_line(window, spec.out_w(), size,
                      [&](int64_t to, int64_t from, const BlockOfPlanes& line) {
                          layout_kernels_.from_block(pixels + from, y + planes + to, line);
                      });
        }
    }
}

}  // namespace darter
