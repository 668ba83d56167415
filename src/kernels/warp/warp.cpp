#include "warp/warp.hpp"

#include <algorithm>

#include "runtime/isa.hpp"
#include "warp/level.hpp"
#include "warp/resampler.hpp"
#include "warp/survey.hpp"
#include "warp/writer.hpp"

namespace darter::warp {
namespace {

constexpr Dispatch<const Rows*> kRows{&scalar_rows, X86_ONLY(&avx2_rows), X86_ONLY(&avx512_rows),
                                      X86_ONLY(&avx512_rows), ARM_ONLY(&neon_rows)};

bool is_straight(const Map& map) {
    const double* h = map.h;
    return h[1] == 0 && h[3] == 0 && h[6] == 0 && h[7] == 0 && !map.bent;
}

void fill_straight(Axis& across, Axis& down, int64_t width, int64_t height, const Output& out,
                   const Map& map) {
    const double* h = map.h;
    across.fill_triangle(out.width, h[0] / h[8], h[2] / h[8], width);
    down.fill_triangle(out.height, h[4] / h[8], h[5] / h[8], height);
}

void warp_straight(const Picture& picture, const Output& out, const Map& map, const Color& color,
                   Border border, const uint8_t fill[3], const Rows& rows) {
    Resampler& resampler = scratch().resampler;
    fill_straight(resampler.across, resampler.down, picture.width, picture.height, out, map);
    resampler.prepare(picture, border, fill, rows);
    Writer writer(out, rows);
    for (int64_t y = 0; y < out.height; ++y) {
        rows.color(resampler.row(y), color, out.width, writer.row(y), writer.channel(),
                   writer.column());
        writer.done(y);
    }
}

}  // namespace

Box reach(int64_t width, int64_t height, const Output& out, const Map& map, Border border) {
    const double* h = map.h;
    if (is_straight(map)) {
        Span columns = triangle_span(out.width, h[0] / h[8], h[2] / h[8], width, border);
        Span rows = triangle_span(out.height, h[4] / h[8], h[5] / h[8], height, border);
        return {columns.first, rows.first, columns.last, rows.last};
    }
    Extent x, y;
    survey(width, height, out, map, x, y);
    Span columns = box_span(x.count, x.origin, x.pitch, width, border);
    Span rows = box_span(y.count, y.origin, y.pitch, height, border);
    return {columns.first, rows.first, columns.last,
            std::min(rows.last + 1, height)};  // one more, so that `lies_inside` can be true
}

void warp(const Picture& picture, const Output& out, const Map& map, const Color& color,
          Border border, const uint8_t fill[3]) {
    const Rows& rows = *kRows.active();
    if (is_straight(map)) return warp_straight(picture, out, map, color, border, fill, rows);

    Extent across, down;
    survey(picture.width, picture.height, out, map, across, down);
    Level level = level_of(picture, border, fill, across, down, scratch(), rows);
    LevelMap to = into_level(map, across, down);
    Writer writer(out, rows);
    for (int64_t y = 0; y < out.height; ++y) {
        rows.sample(level, to, y, color, out.width, writer.row(y), writer.channel(),
                    writer.column());
        writer.done(y);
    }
}

}  // namespace darter::warp
