#include "integer/winograd.hpp"

#include <algorithm>
#include <cstring>

#include "integer/transforms.hpp"

namespace darter {
namespace {

constexpr int64_t kRoom = 832 * 1024;  // bytes of transformed pixels and sums that the second cache holds
constexpr int64_t kLine = 64;          // a position begins a cache line later than the one before it would

int64_t tiles(int64_t out) { return ceil_div(out, int64_t{whole::kOutputs}); }

bool is_window(const IntegerSpec& s) {
    constexpr int64_t kMostTaps = 2 * whole::kTaps;
    return s.r <= kMostTaps && s.s <= kMostTaps && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
           s.dilation_w == 1 && s.groups == 1 && s.c > kIntegerGroup;
}

int64_t thirds(int64_t taps) { return ceil_div(taps, int64_t{whole::kTaps}); }

// Thirds of which not all are zeros at infinity: a last one without a third tap is.
int64_t far_thirds(int64_t taps) { return std::max<int64_t>(1, taps / whole::kTaps); }

// Of all positions.
int64_t products(const IntegerSpec& s) {
    const auto line = [](int64_t taps) { return (whole::kInputs - 1) * thirds(taps) + far_thirds(taps); };
    return line(s.r) * line(s.s);
}

}  // namespace

bool IntegerWinograd::computes(const IntegerSpec& s, const int8_t* w) {
    const int64_t each = s.c * s.r * s.s;
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
    if (!is_window(s)) return false;
    const int64_t c = blocks_of(s.c) * kBlock, k = blocks_of(s.k) * kBlock;
    const int64_t direct = n * s.out_h() * s.out_w() * s.r * s.s * c * k / 115;
    const int64_t each = products(s) * c * k / 62 + 8 * k + 4 * c * thirds(s.r) * thirds(s.s);
    const int64_t filters = products(s) * c * k * int64_t{sizeof(int16_t)} / 32;
    return (n * tiles(s.out_h()) * tiles(s.out_w()) * each + filters) * 11 / 10 < direct;
}

IntegerWinograd::IntegerWinograd(const IntegerSpec& s, const int8_t* w, const IntegerKernels& kernels)
    : kernels_(kernels), x_channels_(blocks_of(s.c) * kBlock), blocks_(blocks_of(s.k)),
      parts_(ceil_div(blocks_, kernels.blocks)), tiles_h_(tiles(s.out_h())), tiles_w_(tiles(s.out_w())),
      thirds_h_(thirds(s.r)), thirds_w_(thirds(s.s)), channels_(x_channels_ * thirds_h_ * thirds_w_) {
    find_thirds(s);
    pack(s, w);
}

// In an order in which those that are not zeros at infinity, of rows or of columns, are neighbors.
void IntegerWinograd::find_thirds(const IntegerSpec& s) {
    for (int64_t h = 0; h < thirds_h_; ++h)
        for (int64_t i = 0; i < thirds_w_; ++i) thirds_.push_back({h, h == 0 ? thirds_w_ - 1 - i : i});
    pairs_before_[0] = 0;
    for (int at = 0; at < whole::kPositions; ++at) {
        const int infinity = whole::kInputs - 1;
        const int64_t rows = at / whole::kInputs == infinity ? far_thirds(s.r) : thirds_h_;
        const int64_t columns = at % whole::kInputs == infinity ? far_thirds(s.s) : thirds_w_;
        first_pair_[at] = (thirds_w_ - columns) * x_channels_ / 2;  // the rightmost ones come first
        pairs_[at] = rows * columns * x_channels_ / 2;
        pairs_before_[at + 1] = pairs_before_[at] + pairs_[at];
    }
}

// Channels past C have weights of 0, so that what lies there does not matter.
void IntegerWinograd::pack(const IntegerSpec& s, const int8_t* w) {
    weights_ = Packed<int16_t>(blocks_ * kBlock * 2 * pairs_before_[whole::kPositions]);
    const int64_t thirds = static_cast<int64_t>(thirds_.size());
    parallel_for(blocks_ * thirds, [&](size_t i) {
        const int64_t third = static_cast<int64_t>(i) % thirds;
        pack_block(s, w, thirds_[third], static_cast<int64_t>(i) / thirds, third * x_channels_ / 2);
    });
}

// first_pair: of the third's channels.
void IntegerWinograd::pack_block(const IntegerSpec& s, const int8_t* w, const Third& third, int64_t block,
                                 int64_t first_pair) {
    constexpr int n = whole::kInputs, taps = whole::kTaps;
    typedef int16_t Halves __attribute__((vector_size(64)));  // of 16 filters, each of a pair of channels
    int64_t part = 0;
    while (first_of_part(part + 1) <= block) ++part;
    const int64_t begin = first_of_part(part), width = first_of_part(part + 1) - begin;
    int16_t* own = weights_.data() + begin * kBlock * 2 * pairs_before_[whole::kPositions];
    const int64_t rows = std::min<int64_t>(taps, s.r - taps * third.h);
    const int64_t columns = std::min<int64_t>(taps, s.s - taps * third.w);
    const int64_t first_tap = taps * (third.h * s.s + third.w);
    const int64_t filters = std::min<int64_t>(kBlock, s.k - block * kBlock);
    for (int64_t c = 0; c < s.c; c += 2) {
        Halves g[taps][taps] = {}, half[taps][n], u[n][n];
        for (int64_t k = 0; k < filters; ++k)
            for (int64_t own_c = 0; own_c < std::min<int64_t>(2, s.c - c); ++own_c) {
                const int8_t* from = w + ((block * kBlock + k) * s.c + c + own_c) * s.r * s.s + first_tap;
                for (int64_t i = 0; i < rows; ++i)
                    for (int64_t j = 0; j < columns; ++j) g[i][j][2 * k + own_c] = from[i * s.s + j];
            }
        for (int j = 0; j < taps; ++j) {
            const Halves column[taps] = {g[0][j], g[1][j], g[2][j]};
            whole::filter_line(column, half[j]);
        }
        for (int i = 0; i < n; ++i) {
            const Halves row[taps] = {half[0][i], half[1][i], half[2][i]};
            whole::filter_line(row, u[i]);
        }
        for (int at = 0; at < whole::kPositions; ++at) {
            const int64_t pair = first_pair + c / 2 - first_pair_[at];
            if (pair < 0 || pair >= pairs_[at]) continue;  // zeros
            int16_t* to = own + ((pairs_before_[at] + pair) * width + block - begin) * kBlock * 2;
            std::memcpy(to, &u[at / n][at % n], sizeof(Halves));
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
        int16_t* own = v + i * channels_;
        for (const Third& third : thirds_) {
            const int64_t h = at.h + 3 * third.h, w = at.w + 3 * third.w;
            const uint8_t* from = x + at.image * (x_channels_ / kBlock) * plane + h * row + w * kBlock;
            kernels_.winograd_input({from, row, plane, x_channels_ / kBlock, own, v_position});
            own += x_channels_;
        }
    }
    for (int64_t part = 0; part < parts_; ++part) {
        const int64_t begin = first_of_part(part), width = first_of_part(part + 1) - begin;
        const int64_t position = count * width * kBlock + kLine / sizeof(int32_t);
        auto* sums = reinterpret_cast<int32_t*>(scratch(Scratch::worker_b, whole::kPositions * position));
        const int16_t* w = weights_.data() + begin * kBlock * 2 * pairs_before_[whole::kPositions];
        kernels_.winograd_pairs({v, v_position, w, first_pair_, pairs_, channels_, count,
                                 static_cast<int>(width), sums, position});
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
