// Resampling along one axis: which pixels make an output pixel, and with what weights.
#pragma once
#include <vector>

#include "warp/border.hpp"

namespace darter::warp {

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
    void fill_triangle(int64_t count, double scale, double offset, double length);

    // Output pixel k averages [origin + k * pitch, origin + (k + 1) * pitch).
    void fill_box(int64_t count, double origin, double pitch);

private:
    void clear();
    void begin_output(int64_t source) { start_ = source, at_ = loose_.size(); }

    void add(double weight);
    void end_output();
    void finish();

    int64_t start_;
    size_t at_;
    std::vector<int64_t> starts_;
    std::vector<double> loose_;
};

// What `fill_triangle` and `fill_box` look at, and perhaps a pixel more at their ends.
Span triangle_span(int64_t count, double scale, double offset, double length, Border border);
Span box_span(int64_t count, double origin, double pitch, int64_t length, Border border);

}  // namespace darter::warp
