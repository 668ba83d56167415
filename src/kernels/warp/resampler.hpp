// Resampling along both axes of a picture, a row of the result at a time.
#pragma once
#include "warp/axis.hpp"

namespace darter::warp {

// A picture's rows and columns under the border rule, resampled along both axes.
class Resampler {
public:
    Axis across, down;

    void prepare(const Picture& picture, Border border, const uint8_t fill[3], const Rows& rows);

    // Row y of the result as RGBx; holds until the next call.
    const float* row(int64_t y);

private:
    void arrange_columns();

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

Scratch& scratch();

}  // namespace darter::warp
