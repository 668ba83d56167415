#include "warp/resampler.hpp"

namespace darter::warp {

void Resampler::prepare(const Picture& picture, Border border, const uint8_t fill[3], const Rows& rows) {
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

const float* Resampler::row(int64_t y) {
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

void Resampler::arrange_columns() {
    float* to = row_.data();
    for (int64_t x = across.begin; x < across.end; ++x, to += 3) {
        int64_t source = border_index(x, picture_.width, border_);
        for (int c = 0; c < 3; ++c)
            to[c] = source < 0 ? static_cast<float>(fill_[c])
                               : blended_[3 * (source - begin_) + c];
    }
}

Scratch& scratch() {
    thread_local Scratch buffers;
    return buffers;
}

}  // namespace darter::warp
