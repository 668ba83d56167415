#include "warp/axis.hpp"

#include <algorithm>
#include <cmath>

namespace darter::warp {
namespace {

int64_t floor_of(double value) {
    int64_t whole = static_cast<int64_t>(value);
    return whole - (whole > value);
}

}  // namespace

void Axis::fill_triangle(int64_t count, double scale, double offset, double length) {
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

void Axis::fill_box(int64_t count, double origin, double pitch) {
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

void Axis::clear() {
    starts_.clear();
    used.clear();
    loose_.clear();
}

void Axis::add(double weight) {
    if (weight > 0)
        loose_.push_back(weight);
    else if (loose_.size() == at_)
        ++start_;  // nothing but zeros so far
}

void Axis::end_output() {
    double sum = 0;
    for (size_t i = at_; i < loose_.size(); ++i) sum += loose_[i];
    for (size_t i = at_; i < loose_.size(); ++i) loose_[i] /= sum;
    starts_.push_back(start_);
    used.push_back(static_cast<int32_t>(loose_.size() - at_));
}

void Axis::finish() {
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

Span triangle_span(int64_t count, double scale, double offset, double length, Border border) {
    const double reach = clamp(std::abs(scale), 1.0, length);
    double first = clamp(scale * 0.5 + offset, -length, 2 * length);
    double last = clamp(scale * (count - 0.5) + offset, -length, 2 * length);
    auto begin = static_cast<int64_t>(std::floor(std::min(first, last) - reach - 0.5));
    auto end = static_cast<int64_t>(std::ceil(std::max(first, last) + reach - 0.5)) + 1;
    return span_of(begin, end, static_cast<int64_t>(length), border);
}

Span box_span(int64_t count, double origin, double pitch, int64_t length, Border border) {
    auto begin = static_cast<int64_t>(std::floor(origin));
    auto end = static_cast<int64_t>(std::ceil(origin + count * pitch)) + 1;
    return span_of(begin, end, length, border);
}

}  // namespace darter::warp
