#include "binary/binary.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/cpu.hpp"
#include "runtime/isa.hpp"
#include "runtime/memory.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const BinaryKernels binary_kernels; }
namespace avx2 { extern const BinaryKernels binary_kernels; }
namespace neon { extern const BinaryKernels binary_kernels; }
namespace avx512 { extern const BinaryKernels binary_kernels; }

namespace {

constexpr Dispatch<const BinaryKernels*> kWithCount{EVERY_ISA(binary_kernels)};
constexpr Dispatch<const BinaryKernels*> kWithoutCount{
    &scalar::binary_kernels, X86_ONLY(&avx2::binary_kernels), X86_ONLY(&avx2::binary_kernels),
    X86_ONLY(&avx2::binary_kernels), ARM_ONLY(&neon::binary_kernels)};

static_assert(kBinaryFilters == kBlock);
constexpr int64_t kPair = 2 * kBlock;
constexpr int64_t kMostTile = 8 * kPair;  // counts

// Taps of one axis that lie inside, for each output place; places with the same taps are of one kind.
struct Inside {
    std::vector<int64_t> kind;                        // of each place
    std::vector<std::pair<int64_t, int64_t>> taps;    // [first, last) of each kind

    Inside(int64_t places, int64_t stride, int64_t pad, int64_t dilation, int64_t count,
           int64_t size) {
        for (int64_t place = 0; place < places; ++place) {
            const int64_t start = place * stride - pad;
            int64_t first = 0, last = count;
            while (first < count && start + first * dilation < 0) ++first;
            while (last > first && start + (last - 1) * dilation >= size) --last;
            const std::pair<int64_t, int64_t> own{first, last};
            auto found = std::find(taps.begin(), taps.end(), own);
            kind.push_back(found - taps.begin());
            if (found == taps.end()) taps.push_back(own);
        }
    }
};


}  // namespace

const BinaryKernels& binary_kernels() {
    return has_avx512_vpopcntdq() ? *kWithCount.active() : *kWithoutCount.active();
}

BinaryConvolution::BinaryConvolution(const BinarySpec& spec, const float* w,
                                     const BinaryAfter& after)
    : spec(spec), words_(words_of(spec.c)), blocks_(blocks_of(spec.k)) {
    auto filled = [&](const float* values) {
        std::vector<float> all(blocks_ * kBlock, 0.0f);
        std::copy_n(values, spec.k, all.begin());
        return all;
    };
    scale_ = filled(after.scale);
    bias_ = filled(after.bias);
    slope_ = filled(after.slope);
    shift_ = filled(after.shift);
    for (int64_t k = 0; k < spec.k; ++k) {
        flipped_.push_back(scale_[k] < 0);
        if (flipped_[k]) scale_[k] = -scale_[k];
    }
    pack_weights(w);
    find_borders(w);
}

void BinaryConvolution::pack_weights(const float* w) {
    const int64_t taps = spec.r * spec.s;
    weights_.assign(blocks_ * kBlock * taps * words_, 0);
    for (int64_t k = 0; k < spec.k; ++k) {
        const int64_t pair = k / kPair, width = std::min(kPair, blocks_ * kBlock - pair * kPair);
        uint64_t* to = weights_.data() + pair * kPair * taps * words_ + k % kPair;
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t tap = 0; tap < taps; ++tap)
                if (is_one(k, w[(k * spec.c + c) * taps + tap]))
                    to[(tap * words_ + c / kWordBits) * width] |= uint64_t{1} << c % kWordBits;
    }
}

// Pixels outside are packed as zeros, which the kernel takes for -1: what it counts there is known.
void BinaryConvolution::find_borders(const float* w) {
    const Inside rows(spec.out_h(), spec.stride_h, spec.pad_top, spec.dilation_h, spec.r, spec.h);
    const Inside columns(spec.out_w(), spec.stride_w, spec.pad_left, spec.dilation_w, spec.s, spec.w);
    row_kind_ = rows.kind;
    column_kind_ = columns.kind;
    column_kinds_ = static_cast<int64_t>(columns.taps.size());
    const int64_t taps = spec.r * spec.s;
    std::vector<int32_t> ones(spec.k * taps, 0);  // of each filter's taps, over the channels
    for (int64_t k = 0; k < spec.k; ++k)
        for (int64_t c = 0; c < spec.c; ++c)
            for (int64_t tap = 0; tap < taps; ++tap)
                ones[k * taps + tap] += is_one(k, w[(k * spec.c + c) * taps + tap]);
    for (const auto& [top, bottom] : rows.taps)
        for (const auto& [left, right] : columns.taps) {
            const int64_t at = static_cast<int64_t>(base_.size());
            const int64_t inside = (bottom - top) * (right - left) * spec.c;
            base_.resize(at + blocks_ * kBlock, static_cast<int32_t>(inside));
            for (int64_t k = 0; k < spec.k; ++k)
                for (int64_t r = 0; r < spec.r; ++r)
                    for (int64_t s = 0; s < spec.s; ++s)
                        if (r < top || r >= bottom || s < left || s >= right)
                            base_[at + k] += 2 * ones[k * taps + r * spec.s + s];
        }
}

// y never grows with the number of differing bits: the float32 formula itself is asked where it crosses
// the threshold, so that bits are those of the numbers.
void BinaryConvolution::compare_with(const float* thresholds) {
    limits_.assign(base_.size(), -1);
    const int32_t most = static_cast<int32_t>(spec.c * spec.r * spec.s);
    for (size_t i = 0; i < base_.size(); ++i) {
        const int64_t k = static_cast<int64_t>(i) % (blocks_ * kBlock);
        if (k >= spec.k) continue;
        auto reaches = [&](int32_t count) {
            const float dot = static_cast<float>(base_[i] - 2 * count);
            return dot * scale_[k] + bias_[k] >= thresholds[k];
        };
        int32_t low = -1, high = most;  // ones up to low; the answer is in [low, high]
        while (low < high) {
            const int32_t middle = low + (high - low + 1) / 2;
            reaches(middle) ? low = middle : high = middle - 1;
        }
        limits_[i] = low;
    }
}

const uint64_t* BinaryConvolution::padded(int64_t n, const uint64_t* x) const {
    if (in_h() == spec.h && in_w() == spec.w) return x;
    const int64_t row = in_w() * words_, image = in_h() * row, own = spec.w * words_;
    auto* to = reinterpret_cast<uint64_t*>(scratch(Scratch::caller_a, 2 * n * image));
    std::memset(to, 0, sizeof(uint64_t) * n * image);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t h = 0; h < spec.h; ++h)
            std::copy_n(x + (i * spec.h + h) * own, own,
                        to + i * image + (h + spec.pad_top) * row + spec.pad_left * words_);
    return to;
}

// Calls emit(image, row, column, first filter, counts of 16 filters).
template <typename Emit>
void BinaryConvolution::each_pixel(int64_t images, const uint64_t* x, const Emit& emit) const {
    const BinaryKernels& kernels = binary_kernels();
    const uint64_t* from = padded(images, x);
    const int64_t taps = spec.r * spec.s, row_words = in_w() * words_;
    const int64_t pairs = ceil_div(blocks_, 2), out_h = spec.out_h(), out_w = spec.out_w();
    std::vector<int64_t> offsets;
    for (int64_t r = 0; r < spec.r; ++r)
        for (int64_t s = 0; s < spec.s; ++s)
            offsets.push_back(r * spec.dilation_h * row_words + s * spec.dilation_w * words_);
    const int64_t wanted = threads() == 1 ? 1 : 4 * threads();
    const int64_t bands = std::clamp<int64_t>(ceil_div(wanted, images), 1, out_h);
    parallel_for(images * bands, [&](size_t task) {
        const int64_t n = static_cast<int64_t>(task) / bands, band = static_cast<int64_t>(task) % bands;
        alignas(64) int32_t counts[kMostTile];
        for (int64_t pair = 0; pair < pairs; ++pair) {
            BinaryTile tile{};
            tile.blocks = static_cast<int>(std::min<int64_t>(2, blocks_ - 2 * pair));
            tile.offsets = offsets.data();
            tile.taps = taps;
            tile.words = words_;
            tile.w = weights_.data() + pair * kPair * taps * words_;
            tile.pixel_step = spec.stride_w * words_;
            tile.counts = counts;
            for (int64_t row = band * out_h / bands; row < (band + 1) * out_h / bands; ++row)
                for (int64_t column = 0; column < out_w; column += tile.pixels) {
                    tile.pixels =
                        static_cast<int>(std::min<int64_t>(kernels.pixels, out_w - column));
                    tile.x = from + (n * in_h() + row * spec.stride_h) * row_words +
                             column * tile.pixel_step;
                    kernels.count(tile);
                    for (int p = 0; p < tile.pixels; ++p)
                        for (int block = 0; block < tile.blocks; ++block)
                            emit(kernels, n, row, column + p, (2 * pair + block) * kBlock,
                                 counts + (p * tile.blocks + block) * kBlock);
                }
        }
    });
}

void BinaryConvolution::run(int64_t n, const uint64_t* x, const float* residual, float* y,
                            int64_t y_blocks) const {
    const int64_t out_w = spec.out_w(), plane = spec.out_h() * out_w;
    each_pixel(n, x, [&](const BinaryKernels& kernels, int64_t image, int64_t row, int64_t column,
                         int64_t k, const int32_t* counts) {
        const BinaryFinish finish{base_.data() + border(row, column) * blocks_ * kBlock + k,
                                  scale_.data() + k, bias_.data() + k, slope_.data() + k,
                                  shift_.data() + k};
        const int64_t pixel = row * out_w + column, block = k / kBlock;
        const float* added =
            residual ? residual + ((image * blocks_ + block) * plane + pixel) * kBlock : nullptr;
        kernels.finish(counts, finish, added,
                       y + ((image * y_blocks + block) * plane + pixel) * kBlock);
    });
}

void BinaryConvolution::run(int64_t n, const uint64_t* x, uint64_t* y) const {
    const int64_t out_w = spec.out_w(), out_h = spec.out_h(), parts = words_of(spec.k) * 4;
    auto* bits = reinterpret_cast<uint16_t*>(y);  // of 16 filters; of a word the lowest first
    each_pixel(n, x, [&](const BinaryKernels& kernels, int64_t image, int64_t row, int64_t column,
                         int64_t k, const int32_t* counts) {
        const int32_t* limits = limits_.data() + border(row, column) * blocks_ * kBlock + k;
        uint16_t* pixel = bits + ((image * out_h + row) * out_w + column) * parts;
        pixel[k / kBlock] = kernels.compare(counts, limits);
        if (k / kBlock == blocks_ - 1)
            for (int64_t part = blocks_; part < parts; ++part) pixel[part] = 0;
    });
}

void pack_bits(const Blocked& x, const float* values, const float* thresholds, uint64_t* bits) {
    const BinaryKernels& kernels = binary_kernels();
    const int64_t parts = words_of(x.channels) * 4, rest = x.channels % kBlock;
    const uint16_t mask = rest ? static_cast<uint16_t>((1 << rest) - 1) : 0xffff;
    auto* to = reinterpret_cast<uint16_t*>(bits);
    each_piece(x.n * x.pixels(), x.blocks() * kBlock, [&](int64_t first, int64_t last) {
        for (int64_t pixel = first; pixel < last; ++pixel) {
            const float* from = values + pixel / x.pixels() * x.image() + pixel % x.pixels() * kBlock;
            uint16_t* own = to + pixel * parts;
            for (int64_t block = 0; block < parts; ++block)
                own[block] = block < x.blocks()
                    ? kernels.pack(from + block * x.plane(), thresholds + block * kBlock) : 0;
            own[x.blocks() - 1] &= mask;
        }
    });
}

}  // namespace darter
