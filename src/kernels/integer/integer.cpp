#include "integer/integer.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/isa.hpp"
#include "runtime/memory.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const IntegerKernels integer_kernels; }
namespace avx2 { extern const IntegerKernels integer_kernels; }
namespace avx_vnni { extern const IntegerKernels integer_kernels; }
namespace avx512 { extern const IntegerKernels integer_kernels; }
namespace avx512_vnni { extern const IntegerKernels integer_kernels; }

static_assert(kIntegerBlock == kBlock);

const IntegerKernels& integer_kernels() {
#if defined(__x86_64__)
    switch (active_isa()) {
        case Isa::amx:
        case Isa::avx512:
            return has_avx512_vnni() ? avx512_vnni::integer_kernels : avx512::integer_kernels;
        case Isa::avx2: return has_avx_vnni() ? avx_vnni::integer_kernels : avx2::integer_kernels;
        default: break;
    }
#endif
    return scalar::integer_kernels;
}

namespace {

// Blocks of filters of a tile. Where results are one pixel, those of all pictures are its pixels: few blocks,
// so that many pictures are one tile, and filters are read once for them.
int64_t tile_blocks(const IntegerSpec& spec, const IntegerKernels& kernels) {
    constexpr int kPictures = 8;
    if (spec.out_h() * spec.out_w() == 1)
        for (int64_t blocks = kernels.blocks; blocks > 0; --blocks)
            if (kernels.pixels[blocks - 1] >= kPictures) return blocks;
    return kernels.blocks;
}

}  // namespace

IntegerAlgorithm integer_algorithm(const IntegerSpec& spec, int64_t n) {
    return IntegerWinograd::pays(spec, n) ? IntegerAlgorithm::winograd : IntegerAlgorithm::direct;
}

IntegerConvolution::IntegerConvolution(const IntegerSpec& spec, const int8_t* w, const int32_t* bias,
                                       uint8_t x_zero, IntegerAfter after,
                                       std::optional<IntegerResidual> residual,
                                       IntegerAlgorithm algorithm)
    : spec(spec), kernels_(integer_kernels()), few_(!spec.depthwise() && spec.c <= kIntegerGroup),
      blocks_(blocks_of(spec.k)), parts_(ceil_div(blocks_, tile_blocks(spec, kernels_))), x_zero_(x_zero),
      after_(std::move(after)), residual_(residual),
      groups_(ceil_div((side_by_side() ? spec.s : 1) * pixel_bytes(), int64_t{kIntegerGroup})) {
    bias_.assign(blocks_ * kBlock, 0);
    scale_.assign(blocks_ * kBlock, 0.0f);
    std::copy_n(after_.scale.begin(), spec.k, scale_.begin());
    const int64_t each = spec.c / spec.groups * spec.r * spec.s;
    for (int64_t k = 0; k < spec.k; ++k) {
        int32_t sum = 0;  // of the filter: x's zero point counts as often
        for (int64_t i = 0; i < each; ++i) sum += w[k * each + i];
        bias_[k] = bias[k] - sum * static_cast<int32_t>(x_zero);
    }
    small_ = std::all_of(scale_.begin(), scale_.end(), [](float each) { return each < 1.0f; });
    if (algorithm == IntegerAlgorithm::winograd && !after_.to_float && IntegerWinograd::computes(spec, w)) {
        winograd_.emplace(spec, w, kernels_);
        return;
    }
    find_places();
    spec.depthwise() ? pack_depthwise(w) : pack(w);
}

size_t IntegerConvolution::weight_bytes() const {
    return weights_.bytes() + depthwise_.bytes() + (winograd_ ? winograd_->weight_bytes() : 0);
}

// Of a weight: its group of 4, and its place there.
std::pair<int64_t, int64_t> IntegerConvolution::place(int64_t c, int64_t r, int64_t s) const {
    const int64_t tap = r * spec.s + s, byte = s * spec.c + c;
    if (side_by_side()) return {r * groups_ + byte / kIntegerGroup, byte % kIntegerGroup};
    if (few_) return {tap, c};
    const int64_t four = c % kBlock / kIntegerGroup;
    return {(c / kBlock * spec.r * spec.s + tap) * groups_ + four, c % kIntegerGroup};
}

// What a group has beyond the channels has weights of 0, so that what lies there does not matter.
void IntegerConvolution::pack(const int8_t* w) {
    const int64_t each = static_cast<int64_t>(offsets_.size()) * groups_ * kIntegerGroup;
    weights_ = Packed<int8_t>(blocks_ * kBlock * each);
    for (int64_t part = 0; part < parts_; ++part) {
        const int64_t begin = first_of_part(part) * kBlock, width = first_of_part(part + 1) * kBlock - begin;
        int8_t* own = weights_.data() + begin * each;
        for (int64_t k = begin; k < std::min(spec.k, begin + width); ++k)
            for (int64_t c = 0; c < spec.c; ++c)
                for (int64_t r = 0; r < spec.r; ++r)
                    for (int64_t s = 0; s < spec.s; ++s) {
                        const auto [group, byte] = place(c, r, s);
                        own[(group * width + k - begin) * kIntegerGroup + byte] =
                            w[((k * spec.c + c) * spec.r + r) * spec.s + s];
                    }
    }
}

void IntegerConvolution::pack_depthwise(const int8_t* w) {
    const int64_t taps = spec.r * spec.s;
    depthwise_ = Packed<int16_t>(blocks_ * taps * kBlock);
    fours_ = Packed<int8_t>(blocks_ * four_bytes());
    for (int64_t k = 0; k < spec.k; ++k)
        for (int64_t r = 0; r < spec.r; ++r)
            for (int64_t s = 0; s < spec.s; ++s) {
                const int64_t block = k / kBlock, own = k % kBlock, tap = r * spec.s + s;
                const int64_t four = r * ceil_div(spec.s, int64_t{4}) + s / 4;
                depthwise_[(block * taps + tap) * kBlock + own] = w[k * taps + tap];
                fours_[block * four_bytes() + (four * kBlock + own) * 4 + s % 4] = w[k * taps + tap];
            }
}

void IntegerConvolution::find_places() {
    const int64_t pixel = pixel_bytes(), row = in_w() * pixel;
    for (int64_t h = 0; h < spec.out_h(); ++h)
        for (int64_t i = 0; i < spec.out_w(); ++i)
            places_.push_back(h * spec.stride_h * row + i * spec.stride_w * pixel);
    const int64_t blocks = spec.depthwise() ? 1 : x_blocks();
    for (int64_t block = 0; block < blocks; ++block)
        for (int64_t r = 0; r < spec.r; ++r)
            for (int64_t s = 0; s < (side_by_side() ? 1 : spec.s); ++s)
                offsets_.push_back(block * x_plane() + r * spec.dilation_h * row +
                                   s * spec.dilation_w * pixel);
}

IntegerFinish IntegerConvolution::finish(int64_t first) const {
    IntegerFinish f{};
    f.bias = bias_.data() + first;
    f.scale = scale_.data() + first;
    f.low = after_.low;
    f.high = after_.high;
    f.zero = after_.zero;
    f.to_float = after_.to_float;
    f.small = small_;
    f.residual = residual_.has_value();
    if (residual_) {
        f.own = residual_->own;
        f.other = residual_->other;
        f.fixed = residual_->fixed;
        f.own_first = residual_->own_first;
        f.sum_low = residual_->low;
        f.sum_high = residual_->high;
    }
    return f;
}

void IntegerConvolution::run(const Blocked& x, const uint8_t* from, const Blocked& y, void* to,
                             const uint8_t* residual) const {
    if (spec.depthwise()) return each_alone(x, from, y, to, residual);
    if (winograd_) {
        from = padded(x, from, winograd_->in_h(), winograd_->in_w());
        return winograd_->run(from, y, static_cast<uint8_t*>(to), residual, finish(0));
    }
    if (copies()) from = padded(x, from, in_h(), in_w());
    const Pictures pictures{from, copies() ? x_blocks() * x_plane() : x.image(), places_.data()};
    y.n > 1 && y.pixels() == 1 ? multiply_rows(pictures, y, to, residual) : multiply(pictures, y, to, residual);
}

void IntegerConvolution::run_rounded(int64_t n, const float* from, const IntegerRounding& to_x,
                                     const Blocked& y, void* to, const uint8_t* residual) const {
    const Pictures pictures{rounded(n, from, to_x), x_plane(), places_.data()};
    multiply(pictures, y, to, residual);
}

// So many bytes, and what the last group reads past them.
uint8_t* IntegerConvolution::room(int64_t bytes) const {
    return reinterpret_cast<uint8_t*>(scratch(Scratch::caller_a, bytes / sizeof(float) + 2));
}

const uint8_t* IntegerConvolution::rounded(int64_t n, const float* from, const IntegerRounding& to) const {
    const int64_t pixel = pixel_bytes(), row = in_w() * pixel, rows = n * in_h(), plane = spec.h * spec.w;
    uint8_t* all = room(rows * row);
    each_piece(rows, row, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const int64_t h = i % in_h() - spec.pad_top;
            uint8_t* line = all + i * row;
            if (h < 0 || h >= spec.h) {
                std::memset(line, x_zero_, row);
                continue;
            }
            std::memset(line, x_zero_, spec.pad_left * pixel);
            std::memset(line + (spec.pad_left + spec.w) * pixel, x_zero_, spec.pad_right * pixel);
            kernels_.quantize_line({from + i / in_h() * spec.c * plane + h * spec.w, plane,
                                    static_cast<int>(spec.c), line + spec.pad_left * pixel, pixel, spec.w,
                                    to.step, to.low, to.high, to.zero});
        }
    });
    return all;
}

// Pictures of so many rows and columns: pads are the zero point.
const uint8_t* IntegerConvolution::padded(const Blocked& x, const uint8_t* from, int64_t height,
                                          int64_t width) const {
    const int64_t row = width * pixel_bytes(), rows = x.n * x_blocks() * height;
    uint8_t* all = room(rows * row);
    each_piece(rows, row / 4 + 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) pad(from + x.at(i / height), i % height, width, all + i * row);
    });
    return all;
}

// Row h of a block of the padded picture; of few channels, the bytes of each pixel that there are.
void IntegerConvolution::pad(const uint8_t* plane, int64_t h, int64_t width, uint8_t* to) const {
    const int64_t pixel = pixel_bytes(), right = width - spec.pad_left - spec.w;
    h -= spec.pad_top;
    if (h < 0 || h >= spec.h) {
        std::memset(to, x_zero_, width * pixel);
        return;
    }
    const uint8_t* source = plane + h * spec.w * kBlock;
    std::memset(to, x_zero_, spec.pad_left * pixel);
    std::memset(to + (spec.pad_left + spec.w) * pixel, x_zero_, right * pixel);
    to += spec.pad_left * pixel;
    if (!few_)
        std::memcpy(to, source, spec.w * kBlock);
    else
        for (int64_t w = 0; w < spec.w; ++w)
            std::copy_n(source + w * kBlock, spec.c, to + w * pixel);
}

// Results of one pixel: those of all pictures are pixels of one, as filters are larger than they.
void IntegerConvolution::multiply_rows(const Pictures& x, const Blocked& y, void* to,
                                       const uint8_t* residual) const {
    const Blocked rows{1, y.channels, 1, y.n, blocks_, y.element};
    std::vector<int64_t> places(y.n);
    for (int64_t i = 0; i < y.n; ++i) places[i] = i * x.image + x.places[0];
    const int64_t block = kBlock * (after_.to_float ? sizeof(float) : 1), all = y.n * blocks_;
    auto* room = reinterpret_cast<uint8_t*>(scratch(Scratch::caller_b, all * (block + kBlock) / sizeof(float)));
    uint8_t* added = residual ? room + all * block : nullptr;
    for (int64_t i = 0; residual && i < all; ++i)
        std::memcpy(added + (i % blocks_ * y.n + i / blocks_) * kBlock, residual + y.at(i), kBlock);
    multiply({x.x, 0, places.data()}, rows, room, added);
    for (int64_t i = 0; i < all; ++i)
        std::memcpy(static_cast<uint8_t*>(to) + y.at(i) / kBlock * block,
                    room + (i % blocks_ * y.n + i / blocks_) * block, block);
}

void IntegerConvolution::multiply(const Pictures& x, const Blocked& y, void* to, const uint8_t* residual) const {
    const int64_t pixels = y.pixels();
    // Threads share what is larger, the pictures or the weights.
    const int64_t wanted = threads() == 1 ? 1 : 4 * threads();
    const bool heavy = weights_.size() > y.n * x.image;
    const int64_t most = y.n * ceil_div(pixels, int64_t{kernels_.pixels[0]});
    const int64_t filters = std::min(parts_, heavy ? wanted : std::max<int64_t>(1, wanted / most));
    const int64_t bands = std::min(most, ceil_div(wanted, filters)), all = y.n * pixels;
    const int64_t w_block = weights_.size() / blocks_;
    parallel_for(bands * filters, [&](size_t task) {
        const int64_t band = static_cast<int64_t>(task) / filters, share = static_cast<int64_t>(task) % filters;
        const int64_t begin = band * all / bands, end = (band + 1) * all / bands;
        const int64_t last = (share + 1) * parts_ / filters;
        for (int64_t part = share * parts_ / filters; part < last; ++part) {
            const int64_t block = first_of_part(part);
            IntegerTile t{};
            t.offsets = offsets_.data();
            t.steps = static_cast<int64_t>(offsets_.size());
            t.groups = groups_;
            t.w = weights_.data() + block * w_block;
            t.blocks = static_cast<int>(first_of_part(part + 1) - block);
            t.finish = finish(block * kBlock);
            t.y_block = y.plane();
            t.residual_block = y.plane();
            for (int64_t next, i = begin; i < end; i = next) {
                const int64_t image = i / pixels, first = i % pixels;
                next = std::min(end, (image + 1) * pixels);
                const int64_t at = y.at(image * y.blocks() + block) + first * kBlock;
                t.x = x.x + image * x.image;
                t.places = x.places + first;
                t.pixels = next - i;
                t.y = static_cast<uint8_t*>(to) + at * (after_.to_float ? 4 : 1);
                t.residual = residual ? residual + at : nullptr;
                const bool more = part + 1 < last && i == begin;
                t.next = more ? weights_.data() + first_of_part(part + 1) * w_block : nullptr;
                t.next_end = weights_.data() + first_of_part(part + 2) * w_block;
                kernels_.tiles(t);
            }
        }
    });
}

// Some rows of a padded picture, from `first` on, whose pads left and right are there.
void IntegerConvolution::band_of(const uint8_t* plane, int64_t first, int64_t rows, uint8_t* to) const {
    const int64_t row = in_w() * kBlock, line = spec.w * kBlock;
    const int64_t begin = std::clamp<int64_t>(spec.pad_top - first, 0, rows);
    const int64_t end = std::clamp<int64_t>(spec.pad_top + spec.h - first, begin, rows);
    std::memset(to, x_zero_, begin * row);
    std::memset(to + end * row, x_zero_, (rows - end) * row);
    kernels_.copy_lines(plane + (first + begin - spec.pad_top) * line, line,
                        to + begin * row + spec.pad_left * kBlock, row, end - begin);
}

// Padded rows are made band by band, so that they are read from the first cache. What lies left and right
// of a picture stays there from band to band.
void IntegerConvolution::each_alone(const Blocked& x, const uint8_t* from, const Blocked& y, void* to,
                                    const uint8_t* residual) const {
    constexpr int64_t kBand = 24 * 1024;  // bytes
    const int64_t taps = spec.r * spec.s, row = in_w() * kBlock, reach = (spec.r - 1) * spec.dilation_h + 1;
    const int64_t band = copies() ? std::clamp<int64_t>((kBand / row - reach) / spec.stride_h + 1, 1, y.h) : y.h;
    const int64_t bytes = ((band - 1) * spec.stride_h + reach) * row;
    each_piece(y.n * blocks_ * y.h, y.w * kBlock * taps / 4, [&](int64_t first, int64_t last) {
        uint8_t* room = nullptr;
        if (copies()) {
            room = reinterpret_cast<uint8_t*>(
                scratch(Scratch::worker_a, ceil_div(bytes, int64_t{sizeof(float)})));
            std::memset(room, x_zero_, bytes);
        }
        for (int64_t i = first, lines; i < last; i += lines) {
            const int64_t plane = i / y.h, h = i % y.h, block = plane % blocks_;
            const int64_t at = y.at(plane) + h * y.w * kBlock;
            lines = std::min({last - i, y.h - h, band});
            IntegerDepthwise d{};
            d.x = from + x.at(plane) + h * spec.stride_h * row;
            if (copies()) {
                band_of(from + x.at(plane), h * spec.stride_h, (lines - 1) * spec.stride_h + reach, room);
                d.x = room;
            }
            d.places = places_.data();
            d.offsets = offsets_.data();
            d.rows = spec.r;
            d.columns = spec.s;
            d.neighbors = spec.dilation_w == 1;
            d.w = depthwise_.data() + block * taps * kBlock;
            d.fours = fours_.data() + block * four_bytes();
            d.lines = lines;
            d.pixels = y.w;
            d.x_line = spec.stride_h * row;
            d.finish = finish(block * kBlock);
            d.y = static_cast<uint8_t*>(to) + at * (after_.to_float ? 4 : 1);
            d.residual = residual ? residual + at : nullptr;
            kernels_.depthwise(d);
        }
    });
}

}  // namespace darter
