#include "warp/warp.hpp"

namespace darter::warp {

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
