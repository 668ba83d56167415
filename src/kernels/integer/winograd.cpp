#include "integer/winograd.hpp"

#include <algorithm>

#include "integer/transforms.hpp"

namespace darter {
namespace {

constexpr int64_t kRoom = 832 * 1024;  // bytes of transformed pixels and sums that the second cache holds
constexpr int64_t kLine = 64;          // a position begins a cache line later than the one before it would

int64_t tiles(int64_t out) { return ceil_div(out, int64_t{whole::kOutputs}); }

bool is_window(const IntegerSpec& s) {
    return s.r == whole::kTaps && s.s == whole::kTaps && s.stride_h == 1 && s.stride_w == 1 &&
           s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1 && s.c > kIntegerGroup;
}

}  // namespace

bool IntegerWinograd::computes(const IntegerSpec& s, const int8_t* w) {
    const int64_t each = s.c * whole::kTaps * whole::kTaps;
    if (!is_window(s)) return false;
    for (int64_t k = 0; k < s.k; ++k) {
        int64_t up = 0, down = 0;
        for (const int8_t* i = w + k * each; i < w + (k + 1) * each; ++i) (*i > 0 ? up : down) += *i;
        if (255 * std::max(up, -down) >= whole::kMostSum) return false;
    }
    return true;
}

// In cycles of vectors of 64 bytes: products, what transforms read, write and compute, and filters, which
// no near cache holds. Measured on Zen 5, layer by layer.
bool IntegerWinograd::pays(const IntegerSpec& s, int64_t n) {
    const int64_t c = blocks_of(s.c) * kBlock, k = blocks_of(s.k) * kBlock;
    const int64_t direct = n * s.out_h() * s.out_w() * s.r * s.s * c * k / 115;
    const int64_t each = whole::kPositions * c * k / 62 + 8 * k + 4 * c;
    const int64_t filters = whole::kPositions * c * k * int64_t{sizeof(int16_t)} / 32;
    return is_window(s) && (n * tiles(s.out_h()) * tiles(s.out_w()) * each + filters) * 11 / 10 < direct;
}

IntegerWinograd::IntegerWinograd(const IntegerSpec& s, const int8_t* w, const IntegerKernels& kernels)
    : kernels_(kernels), channels_(blocks_of(s.c) * kBlock), blocks_(blocks_of(s.k)),
      parts_(ceil_div(blocks_, kernels.blocks)), tiles_h_(tiles(s.out_h())), tiles_w_(tiles(s.out_w())) {
    pack(s, w);
}

// Channels past C have weights of 0, so that what lies there does not matter.
void IntegerWinograd::pack(const IntegerSpec& s, const int8_t* w) {
    constexpr int n = whole::kInputs, taps = whole::kTaps;
    weights_ = Packed<int16_t>(blocks_ * kBlock * whole::kPositions * channels_);
    for (int64_t part = 0; part < parts_; ++part) {
        const int64_t begin = first_of_part(part), width = first_of_part(part + 1) - begin;
        int16_t* own = weights_.data() + begin * kBlock * whole::kPositions * channels_;
        for (int64_t c = 0; c < s.c; ++c)
            for (int64_t k = begin * kBlock; k < std::min(s.k, (begin + width) * kBlock); ++k) {
                const int8_t* g = w + (k * s.c + c) * taps * taps;
                int half[taps][n], u[n][n];
                for (int j = 0; j < taps; ++j) {
                    const int column[taps] = {g[j], g[taps + j], g[2 * taps + j]};
                    whole::filter_line(column, half[j]);
                }
                for (int i = 0; i < n; ++i) {
                    const int row[taps] = {half[0][i], half[1][i], half[2][i]};
                    whole::filter_line(row, u[i]);
                }
                for (int64_t at = 0; at < whole::kPositions; ++at) {
                    const int64_t block = (at * channels_ / 2 + c / 2) * width + k / kBlock - begin;
                    own[(block * kBlock + k % kBlock) * 2 + c % 2] = static_cast<int16_t>(u[at / n][at % n]);
                }
            }
    }
}

void IntegerWinograd::run(const uint8_t* x, const Blocked& y, uint8_t* to, const uint8_t* residual,
                          const IntegerFinish& finish) const {
    const int64_t all = y.n * tiles_h_ * tiles_w_;
    const int64_t each = whole::kPositions * (2 * channels_ + 4 * kernels_.blocks * kBlock);
    const int64_t group = kernels_.pixels[std::min(blocks_, kernels_.blocks) - 1];
    const int64_t groups = ceil_div(all, group), most = std::max<int64_t>(1, kRoom / each / group);
    const int64_t chunks = std::min(groups, std::max<int64_t>(ceil_div(groups, most), threads()));
    const auto first = [&](int64_t chunk) { return std::min(all, chunk * groups / chunks * group); };
    parallel_for(chunks, [&](size_t i) {
        const int64_t chunk = static_cast<int64_t>(i);
        some_tiles(x, first(chunk), first(chunk + 1), y, to, residual, finish);
    });
}

void IntegerWinograd::some_tiles(const uint8_t* x, int64_t first, int64_t last, const Blocked& y,
                                 uint8_t* to, const uint8_t* residual, const IntegerFinish& finish) const {
    const int64_t count = last - first, row = in_w() * kBlock, plane = in_h() * row;
    const int64_t v_position = count * channels_ + kLine / sizeof(int16_t);
    auto* v = reinterpret_cast<int16_t*>(scratch(Scratch::worker_a, whole::kPositions * v_position / 2));
    // Row and column of a tile, and its picture.
    struct Place { int64_t image, h, w; };
    const auto place = [&](int64_t tile) {
        const int64_t in_image = tile % (tiles_h_ * tiles_w_);
        return Place{tile / (tiles_h_ * tiles_w_), in_image / tiles_w_ * 4, in_image % tiles_w_ * 4};
    };
    for (int64_t i = 0; i < count; ++i) {
        const Place at = place(first + i);
        const uint8_t* from = x + at.image * (channels_ / kBlock) * plane + at.h * row + at.w * kBlock;
        kernels_.winograd_input({from, row, plane, channels_ / kBlock, v + i * channels_, v_position});
    }
    for (int64_t part = 0; part < parts_; ++part) {
        const int64_t begin = first_of_part(part), width = first_of_part(part + 1) - begin;
        const int64_t position = count * width * kBlock + kLine / sizeof(int32_t);
        auto* sums = reinterpret_cast<int32_t*>(scratch(Scratch::worker_b, whole::kPositions * position));
        const int16_t* w = weights_.data() + begin * kBlock * whole::kPositions * channels_;
        kernels_.winograd_pairs({v, v_position, w, channels_ / 2, count, static_cast<int>(width), sums, position});
        for (int64_t i = 0; i < count * width; ++i) {
            const Place at = place(first + i / width);
            const int64_t block = begin + i % width;
            const int64_t offset = y.at(at.image * y.blocks() + block) + (at.h * y.w + at.w) * kBlock;
            IntegerPatchSums s{sums + i * kBlock, position, 0, 0, finish, to + offset, y.w * kBlock, nullptr};
            s.rows = static_cast<int>(std::min<int64_t>(whole::kOutputs, y.h - at.h));
            s.columns = static_cast<int>(std::min<int64_t>(whole::kOutputs, y.w - at.w));
            s.finish.bias += block * kBlock;
            s.finish.scale += block * kBlock;
            if (residual) s.residual = residual + offset;
            kernels_.winograd_output(s);
        }
    }
}

}  // namespace darter
