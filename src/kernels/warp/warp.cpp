#include "warp/warp.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/isa.hpp"

namespace darter::warp {
namespace {

constexpr int kGrid = 17;  // points along each side at which a map is surveyed

constexpr Dispatch<const Rows*> kRows{&scalar_rows, X86_ONLY(&avx2_rows), X86_ONLY(&avx512_rows)};

// NaN becomes low.
double clamp(double value, double low, double high) {
    return value > low ? std::min(value, high) : low;
}

// Source pixel for any index: one reflection at each end, the last pixel of it beyond; -1: fill.
int64_t border_index(int64_t index, int64_t length, Border border) {
    int64_t inside = std::clamp<int64_t>(index, 0, length - 1);
    if (border == Border::edge) return inside;
    if (border == Border::fill) return index == inside ? index : -1;
    index = std::clamp(index, -length, 2 * length - 1);
    if (index < 0) return -1 - index;
    return index < length ? index : 2 * length - 1 - index;
}

// First and last pixel + 1 that indices in [begin, end) look at; equal where all of it is fill.
struct Span {
    int64_t first, last;
};

Span span_of(int64_t begin, int64_t end, int64_t length, Border border) {
    Span span{length, 0};
    for (int64_t i = begin; i < end; ++i) {
        int64_t source = border_index(i, length, border);
        if (source < 0) continue;
        span.first = std::min(span.first, source);
        span.last = std::max(span.last, source + 1);
    }
    span.first = std::min(span.first, span.last);
    return span;
}

// Weights of source pixels for the output pixels of one axis.
class Axis {
public:
    std::vector<int32_t> first;  // relative to `begin`
    std::vector<int32_t> used;   // weights that are not padding
    std::vector<float> weights;  // `taps` for each output pixel
    int taps;
    int64_t begin, end;  // source pixels needed

    int64_t count() const { return static_cast<int64_t>(first.size()); }

    // Output pixel k looks at scale * (k + 0.5) + offset through a triangle as wide as it minifies.
    void fill_triangle(int64_t count, double scale, double offset, double length) {
        const double reach = clamp(std::abs(scale), 1.0, length);
        clear();
        for (int64_t k = 0; k < count; ++k) {
            double center = clamp(scale * (k + 0.5) + offset, -length, 2 * length);
            double near = (reach - center + 0.5) / reach, slope = 1 / reach;
            int64_t last = floor_of(center + reach - 0.5);
            begin_output(-floor_of(-(center - reach - 0.5)));
            // 1 - |i + 0.5 - center| / reach
            for (int64_t i = start_; i <= last; ++i)
                add(std::min(near + i * slope, 2 - near - i * slope));
            end_output();
        }
        finish();
    }

    // Output pixel k averages [origin + k * pitch, origin + (k + 1) * pitch).
    void fill_box(int64_t count, double origin, double pitch) {
        clear();
        for (int64_t k = 0; k < count; ++k) {
            double from = origin + k * pitch, to = origin + (k + 1) * pitch;
            begin_output(floor_of(from));
            for (int64_t i = start_; i < to; ++i)
                add(std::min(i + 1.0, to) - std::max<double>(i, from));
            end_output();
        }
        finish();
    }

private:
    static int64_t floor_of(double value) {
        int64_t whole = static_cast<int64_t>(value);
        return whole - (whole > value);
    }

    void clear() {
        starts_.clear();
        used.clear();
        loose_.clear();
    }

    void begin_output(int64_t source) { start_ = source, at_ = loose_.size(); }

    void add(double weight) {
        if (weight > 0)
            loose_.push_back(weight);
        else if (loose_.size() == at_)
            ++start_;  // nothing but zeros so far
    }

    void end_output() {
        double sum = 0;
        for (size_t i = at_; i < loose_.size(); ++i) sum += loose_[i];
        for (size_t i = at_; i < loose_.size(); ++i) loose_[i] /= sum;
        starts_.push_back(start_);
        used.push_back(static_cast<int32_t>(loose_.size() - at_));
    }

    void finish() {
        taps = *std::max_element(used.begin(), used.end());
        begin = *std::min_element(starts_.begin(), starts_.end());
        end = begin;
        first.resize(starts_.size());
        weights.assign(starts_.size() * taps + kSlack, 0.0f);
        const double* next = loose_.data();
        for (size_t k = 0; k < starts_.size(); ++k) {
            first[k] = static_cast<int32_t>(starts_[k] - begin);
            end = std::max(end, starts_[k] + used[k]);
            for (int t = 0; t < used[k]; ++t) weights[k * taps + t] = static_cast<float>(*next++);
        }
    }

    int64_t start_;
    size_t at_;
    std::vector<int64_t> starts_;
    std::vector<double> loose_;
};

// A picture's rows and columns under the border rule, resampled along both axes.
class Resampler {
public:
    Axis across, down;

    void prepare(const Picture& picture, Border border, const uint8_t fill[3], const Rows& rows) {
        picture_ = picture, border_ = border, fill_ = fill, rows_ = &rows;
        auto [first, last] = span_of(across.begin, across.end, picture.width, border);
        begin_ = first, end_ = last;
        inside_ = across.begin == begin_ && across.end == end_;
        blended_.assign(3 * (end_ - begin_ + across.taps) + kSlack, 0.0f);
        if (!inside_) row_.assign(3 * (across.end - across.begin + across.taps) + kSlack, 0.0f);
        rgbx_.resize(4 * across.count() + kSlack);
        fill_row_.resize(border == Border::fill ? 3 * (end_ - begin_) : 0);
        for (size_t i = 0; i < fill_row_.size(); ++i) fill_row_[i] = fill[i % 3];
    }

    // Row y of the result as RGBx; holds until the next call.
    const float* row(int64_t y) {
        pointers_.resize(down.used[y]);
        for (int t = 0; t < down.used[y]; ++t) {
            int64_t source = border_index(down.begin + down.first[y] + t, picture_.height, border_);
            pointers_[t] = source < 0 ? fill_row_.data() : picture_.at(begin_, source);
        }
        rows_->blend(pointers_.data(), down.weights.data() + y * down.taps, down.used[y],
                     3 * (end_ - begin_), blended_.data());
        if (!inside_) arrange_columns();
        Taps taps{across.taps, across.first.data(), across.weights.data()};
        rows_->cross(inside_ ? blended_.data() : row_.data(), taps, across.count(), rgbx_.data());
        return rgbx_.data();
    }

private:
    void arrange_columns() {
        float* to = row_.data();
        for (int64_t x = across.begin; x < across.end; ++x, to += 3) {
            int64_t source = border_index(x, picture_.width, border_);
            for (int c = 0; c < 3; ++c)
                to[c] = source < 0 ? static_cast<float>(fill_[c])
                                   : blended_[3 * (source - begin_) + c];
        }
    }

    Picture picture_;
    Border border_;
    const uint8_t* fill_;
    const Rows* rows_;
    int64_t begin_, end_;  // columns of the picture that are looked at
    bool inside_;          // whether those are all, in their order
    std::vector<float> blended_, row_, rgbx_;
    std::vector<uint8_t> fill_row_;
    std::vector<const uint8_t*> pointers_;
};

// Buffers live as long as their thread, so that a picture costs no allocation.
struct Scratch {
    Resampler resampler;
    std::vector<uint8_t> level;
    std::vector<float> row;
};

Scratch& scratch() {
    thread_local Scratch buffers;
    return buffers;
}

// Rows of the output as floats: its own, or ones that are narrowed to its format when they are done.
class Writer {
public:
    Writer(const Output& out, const Rows& rows) : out_(out), rows_(rows), buffer_(scratch().row) {
        narrow_ = out.format != Format::float32;
        interleaved_ = out.channel == 1 && out.column == 3;
        if (narrow_) buffer_.resize(3 * out.width + kSlack);
    }

    float* row(int64_t y) const {
        return narrow_ ? buffer_.data() : static_cast<float*>(out_.data) + y * out_.row;
    }
    ptrdiff_t channel() const { return narrow_ ? (interleaved_ ? 1 : out_.width) : out_.channel; }
    ptrdiff_t column() const { return narrow_ ? (interleaved_ ? 3 : 1) : out_.column; }

    void done(int64_t y) const {
        if (out_.format == Format::bfloat16)
            narrow(static_cast<uint16_t*>(out_.data) + y * out_.row, rows_.halves);
        else if (out_.format == Format::uint8)
            narrow(static_cast<uint8_t*>(out_.data) + y * out_.row, rows_.bytes);
    }

private:
    template <typename T>
    void narrow(T* to, void (*convert)(const float*, int64_t, T*)) const {
        const int64_t width = out_.width;
        if (interleaved_) return convert(buffer_.data(), 3 * width, to);
        for (int c = 0; c < 3; ++c) {
            const float* from = buffer_.data() + c * width;
            if (out_.column == 1) {
                convert(from, width, to + c * out_.channel);
            } else {
                for (int64_t x = 0; x < width; ++x)
                    convert(from + x, 1, to + c * out_.channel + x * out_.column);
            }
        }
    }

    const Output& out_;
    const Rows& rows_;
    std::vector<float>& buffer_;
    bool narrow_, interleaved_;
};

struct Point {
    double u, v;
};

Point map_point(const Map& map, double x, double y) {
    if (map.bent) {
        double dx = x - map.cx, dy = y - map.cy;
        double r2 = (dx * dx + dy * dy) / (map.radius * map.radius);
        double factor = 1 + map.k1 * r2 + map.k2 * r2 * r2;
        x = map.cx + dx * factor;
        y = map.cy + dy * factor;
    }
    const double* h = map.h;
    double w = h[6] * x + h[7] * y + h[8];
    return {(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w};
}

// Where a level lies along one axis: pixel k covers [origin + k * pitch, origin + (k + 1) * pitch).
struct Extent {
    double origin, pitch;
    int64_t count;
};

// What a survey of the map found along one axis of the picture.
struct Survey {
    double length, low, high, steps2 = 0;  // steps2: squared picture pixels per output pixel, summed

    explicit Survey(int64_t pixels) : length(pixels), low(2.0 * pixels), high(-1.0 * pixels) {}

    void add(double at, double step_x, double step_y) {
        at = clamp(at, -length, 2 * length);
        low = std::min(low, at);
        high = std::max(high, at);
        double step = clamp(std::sqrt(step_x * step_x + step_y * step_y), 0, length);
        steps2 += step * step;
    }

    // A box as wide as the pitch, then bilinear, blurs like a triangle of sqrt(3/2) times the pitch.
    Extent extent(double budget) const {
        double scale = std::sqrt(steps2 / (kGrid * kGrid));
        double first = std::max(-length, low - 2 - scale);
        double last = std::min(2 * length, high + 2 + scale);
        double origin = std::floor(first + 1e-6);
        double pitch = std::max({1.0, std::sqrt(2.0 / 3.0) * scale, (last - origin) / budget});
        return {origin, pitch, std::max<int64_t>(2, std::ceil((last - origin) / pitch) + 1)};
    }
};

void survey(int64_t width, int64_t height, const Output& out, const Map& map, Extent& across,
            Extent& down) {
    Survey u(width), v(height);
    for (int j = 0; j < kGrid; ++j)
        for (int i = 0; i < kGrid; ++i) {
            double x = out.width * (i / (kGrid - 1.0)), y = out.height * (j / (kGrid - 1.0));
            Point here = map_point(map, x, y);
            Point left = map_point(map, x - 0.5, y), right = map_point(map, x + 0.5, y);
            Point above = map_point(map, x, y - 0.5), below = map_point(map, x, y + 0.5);
            u.add(here.u, right.u - left.u, below.u - above.u);
            v.add(here.v, right.v - left.v, below.v - above.v);
        }
    double budget = 4.0 * (out.width + out.height) + 64;  // keeps levels of wild maps small
    across = u.extent(budget);
    down = v.extent(budget);
}

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

// What `fill_triangle` looks at, and perhaps a pixel more at each end.
Span triangle_span(int64_t count, double scale, double offset, double length, Border border) {
    const double reach = clamp(std::abs(scale), 1.0, length);
    double first = clamp(scale * 0.5 + offset, -length, 2 * length);
    double last = clamp(scale * (count - 0.5) + offset, -length, 2 * length);
    auto begin = static_cast<int64_t>(std::floor(std::min(first, last) - reach - 0.5));
    auto end = static_cast<int64_t>(std::ceil(std::max(first, last) + reach - 0.5)) + 1;
    return span_of(begin, end, static_cast<int64_t>(length), border);
}

// What `fill_box` looks at, and perhaps a pixel more at the end.
Span box_span(const Extent& extent, int64_t length, Border border) {
    auto begin = static_cast<int64_t>(std::floor(extent.origin));
    auto end = static_cast<int64_t>(std::ceil(extent.origin + extent.count * extent.pitch)) + 1;
    return span_of(begin, end, length, border);
}

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
    Span columns = box_span(x, width, border), rows = box_span(y, height, border);
    return {columns.first, rows.first, columns.last,
            std::min(rows.last + 1, height)};  // one more, so that `lies_inside` can be true
}

void warp(const Picture& picture, const Output& out, const Map& map, const Color& color,
          Border border, const uint8_t fill[3]) {
    const Rows& rows = *kRows.active();
    if (is_straight(map)) return warp_straight(picture, out, map, color, border, fill, rows);

    Extent across, down;
    survey(picture.width, picture.height, out, map, across, down);
    Level level;
    if (lies_inside(picture, across, down))
        level = part_of(picture, across, down);
    else if (across.pitch == 1 && down.pitch == 1)
        level = copy(picture, border, fill, across, down, scratch().level);
    else
        level = average(picture, border, fill, across, down, scratch(), rows);
    LevelMap to = into_level(map, across, down);
    Writer writer(out, rows);
    for (int64_t y = 0; y < out.height; ++y) {
        rows.sample(level, to, y, color, out.width, writer.row(y), writer.channel(),
                    writer.column());
        writer.done(y);
    }
}

void mean_rgb(const Picture& picture, const Box& box, double mean[3]) {
    constexpr int kBlock = 48;  // 16 pixels
    constexpr int kMost = 257;  // blocks whose sums fit into 16 bits
    uint64_t sums[3] = {0, 0, 0};
    uint16_t part[kBlock] = {};
    int blocks = 0;
    auto flush = [&] {
        for (int i = 0; i < kBlock; ++i) sums[i % 3] += part[i], part[i] = 0;
        blocks = 0;
    };
    const int64_t bytes = 3 * (box.right - box.left);
    for (int64_t y = box.top; y < box.bottom; ++y) {
        const uint8_t* row = picture.at(box.left, y);
        int64_t at = 0;
        for (; at + kBlock <= bytes; at += kBlock) {
            for (int i = 0; i < kBlock; ++i) part[i] += row[at + i];
            if (++blocks == kMost) flush();
        }
        for (; at < bytes; at += 3)
            for (int c = 0; c < 3; ++c) sums[c] += row[at + c];
    }
    flush();
    const auto pixels = static_cast<double>((box.right - box.left) * (box.bottom - box.top));
    for (int c = 0; c < 3; ++c) mean[c] = pixels ? static_cast<double>(sums[c]) / pixels : 0.0;
}

}  // namespace darter::warp
