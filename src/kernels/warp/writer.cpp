#include "warp/writer.hpp"

#include "warp/resampler.hpp"

namespace darter::warp {

Writer::Writer(const Output& out, const Rows& rows)
    : out_(out), rows_(rows), buffer_(scratch().row) {
    narrow_ = out.format != Format::float32;
    interleaved_ = out.channel == 1 && out.column == 3;
    if (narrow_) buffer_.resize(3 * out.width + kSlack);
}

template <typename T>
void Writer::narrow(T* to, void (*convert)(const float*, int64_t, T*)) const {
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

void Writer::done(int64_t y) const {
    if (out_.format == Format::bfloat16)
        narrow(static_cast<uint16_t*>(out_.data) + y * out_.row, rows_.halves);
    else if (out_.format == Format::uint8)
        narrow(static_cast<uint8_t*>(out_.data) + y * out_.row, rows_.bytes);
}

}  // namespace darter::warp
