#include "warp/level.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace darter::warp {
namespace {

// A part of the picture itself, where neither averaging nor the border is needed.
bool lies_inside(const Picture& picture, const Extent& across, const Extent& down) {
    return across.pitch == 1 && down.pitch == 1 && across.origin >= 0 && down.origin >= 0 &&
           across.origin + across.count <= picture.width &&
           down.origin + down.count < picture.held.bottom &&  // 8 bytes are read at the last pixel
           3 * picture.width * down.count < INT32_MAX;
}

Level part_of(const Picture& picture, const Extent& across, const Extent& down) {
    auto x = static_cast<int64_t>(across.origin), y = static_cast<int64_t>(down.origin);
    auto row_bytes = static_cast<int32_t>(3 * (picture.held.right - picture.held.left));
    return {picture.at(x, y), row_bytes, 3, static_cast<int32_t>(across.count),
            static_cast<int32_t>(down.count)};
}

// The picture's pixels, borders included, as they are.
Level copy(const Picture& picture, Border border, const uint8_t fill[3], const Extent& across,
           const Extent& down, std::vector<uint8_t>& level) {
    int64_t row_bytes = 3 * across.count;
    auto left = static_cast<int64_t>(across.origin), top = static_cast<int64_t>(down.origin);
    level.resize(row_bytes * down.count + kSlack);
    int64_t begin = std::clamp<int64_t>(-left, 0, across.count);
    int64_t end = std::clamp<int64_t>(picture.width - left, begin, across.count);
    for (int64_t j = 0; j < down.count; ++j) {
        uint8_t* row = level.data() + j * row_bytes;
        int64_t y = border_index(top + j, picture.height, border);
        auto column = [&](int64_t i) {
            int64_t x = y < 0 ? -1 : border_index(left + i, picture.width, border);
            std::memcpy(row + 3 * i, x < 0 ? fill : picture.at(x, y), 3);
        };
        int64_t inside = y < 0 ? across.count : begin;
        for (int64_t i = 0; i < inside; ++i) column(i);
        if (y < 0) continue;
        if (end > begin) std::memcpy(row + 3 * begin, picture.at(left + begin, y), 3 * (end - begin));
        for (int64_t i = end; i < across.count; ++i) column(i);
    }
    return {level.data(), static_cast<int32_t>(row_bytes), 3, static_cast<int32_t>(across.count),
            static_cast<int32_t>(down.count)};
}

// Box averages, one byte per channel.
Level average(const Picture& picture, Border border, const uint8_t fill[3], const Extent& across,
              const Extent& down, Scratch& buffers, const Rows& rows) {
    Resampler& resampler = buffers.resampler;
    resampler.across.fill_box(across.count, across.origin, across.pitch);
    resampler.down.fill_box(down.count, down.origin, down.pitch);
    resampler.prepare(picture, border, fill, rows);
    int64_t row_bytes = 4 * across.count;
    buffers.level.resize(row_bytes * down.count + 4 * kSlack);
    for (int64_t j = 0; j < down.count; ++j)
        rows.quantize(resampler.row(j), across.count, buffers.level.data() + j * row_bytes);
    return {buffers.level.data(), static_cast<int32_t>(row_bytes), 4,
            static_cast<int32_t>(across.count), static_cast<int32_t>(down.count)};
}

}  // namespace

Level level_of(const Picture& picture, Border border, const uint8_t fill[3], const Extent& across,
               const Extent& down, Scratch& buffers, const Rows& rows) {
    if (lies_inside(picture, across, down)) return part_of(picture, across, down);
    if (across.pitch == 1 && down.pitch == 1)
        return copy(picture, border, fill, across, down, buffers.level);
    return average(picture, border, fill, across, down, buffers, rows);
}

LevelMap into_level(const Map& map, const Extent& across, const Extent& down) {
    LevelMap to{};
    const double* h = map.h;
    // Scaled so that the denominator is about 1 and single precision can hold it.
    double size = std::max({std::abs(h[6]), std::abs(h[7]), std::abs(h[8]), 1e-300});
    for (int i = 0; i < 3; ++i) {
        to.h[i] = ((h[i] - across.origin * h[6 + i]) / across.pitch - 0.5 * h[6 + i]) / size;
        to.h[3 + i] = ((h[3 + i] - down.origin * h[6 + i]) / down.pitch - 0.5 * h[6 + i]) / size;
        to.h[6 + i] = h[6 + i] / size;
    }
    to.projective = h[6] != 0 || h[7] != 0;
    if (!to.projective)
        for (double& value : to.h) value /= h[8] / size;
    to.bent = map.bent;
    to.cx = static_cast<float>(map.cx), to.cy = static_cast<float>(map.cy);
    to.k1 = static_cast<float>(map.k1), to.k2 = static_cast<float>(map.k2);
    to.inverse_radius2 = static_cast<float>(1 / (map.radius * map.radius));
    return to;
}

}  // namespace darter::warp
