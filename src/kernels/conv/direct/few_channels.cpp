// Nets begin with 3 channels, and bfloat16 is multiplied in pairs. Rounded pixels are laid side by side,
// channels innermost, so that a filter's row sees s * c neighbouring numbers, whatever c is: half as
// many pairs, and one number more where that is odd, whose weight is 0.
#include "conv/direct/few_channels.hpp"

#include <cstring>

#include "bfloat16/number.hpp"
#include "conv/direct/by_rows.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

constexpr int64_t kBandNumbers = 48 * 1024;  // of a band's copy: 96 KiB, well inside L2

// The products of pairs: tiles want whole channel blocks.
const ProductKernels* pair_kernels() {
    return active_isa() >= Isa::avx512 ? bfloat16_product_kernels(Isa::avx512) : nullptr;
}

class FewChannels final : public ByRows {
public:
    FewChannels(const ConvSpec& spec, const Filters& filters)
        : ByRows(spec, filters),
          kernels_(*pair_kernels()),
          pairs_(ceil_div(spec.s * spec.c, 2)),
          tile_(even_piece(spec.out_w(), kernels_.rows)),
          weights_(blocks_of(spec.k) * kBlock * spec.r * pairs_) {
        if (filters.w) FewChannels::set_filters(filters.w);
    }

    bool plain_input() const override { return true; }
    bool takes(Element x, Element) const override { return x == Element::float32; }
    size_t weight_bytes() const override { return weights_.size() * sizeof(float); }

    std::unique_ptr<Convolution> placed(int64_t n, int64_t x_blocks,
                                        int64_t y_blocks) const override {
        return std::unique_ptr<Convolution>(new FewChannels(*this, n, x_blocks, y_blocks));
    }

    // [filter blocks of a product][filter row][pair][filter][2]
    void set_filters(const float* w) override {
        auto* to = reinterpret_cast<uint16_t*>(weights_.data());
        std::fill_n(weights_.data(), weights_.size(), 0.0f);
        for (int64_t k = 0; k < spec.k; ++k) {
            const int64_t first = k / kBlock / kernels_.blocks * kernels_.blocks;
            const int64_t columns = blocks_at(first) * kBlock, column = k - first * kBlock;
            for (int64_t r = 0; r < spec.r; ++r)
                for (int64_t i = 0; i < spec.s * spec.c; ++i) {
                    const int64_t s = i / spec.c, c = i % spec.c;
                    const float value = w[((k * spec.c + c) * spec.r + r) * spec.s + s];
                    const int64_t pair = r * pairs_ + i / 2;
                    to[begin(first) + (pair * columns + column) * 2 + i % 2] = to_bfloat16(value);
                }
        }
    }

    void run(const float* x, float* y, const float* residual) const override {
        compute({.x = x, .y = y, .residual = residual, .plain_x = true, .plain_y = false});
    }

    void run_any(const Arrays& arrays) const override {
        arrays.all_floats() ? Convolution::run_any(arrays) : compute(arrays);
    }

private:
    FewChannels(const FewChannels& other, int64_t n, int64_t x_blocks, int64_t y_blocks)
        : ByRows(other, n, x_blocks, y_blocks),
          kernels_(other.kernels_),
          pairs_(other.pairs_),
          tile_(other.tile_),
          weights_(other.weights_) {}

    int64_t blocks_at(int64_t block) const {
        return std::min<int64_t>(kernels_.blocks, blocks_of(spec.k) - block);
    }
    // Of the weights of filter blocks from `block` on.
    int64_t begin(int64_t block) const { return block * kBlock * spec.r * pairs_ * 2; }

    // Numbers of a row of a copy, and one that the last pair may see beyond it.
    int64_t row_numbers() const { return (spec.w + spec.pad_left + spec.pad_right) * spec.c + 1; }

    void compute(const Arrays& arrays) const {
        const int64_t out_h = spec.out_h();
        int64_t height = std::max<int64_t>(1, kBandNumbers / row_numbers() / spec.stride_h);
        height = std::min(height, ceil_div(spec.n * out_h, 4 * threads()));
        const int64_t bands = ceil_div(out_h, height);
        parallel_for(spec.n * bands, [&](size_t task) {
            const int64_t image = task / bands, first = task % bands * height;
            const int64_t last = std::min(out_h, first + height);
            const uint16_t* band = copy(static_cast<const float*>(arrays.x), image, first, last);
            for (int64_t block = 0; block < blocks_of(spec.k); block += kernels_.blocks)
                for (int64_t row = first; row < last; ++row)
                    write_row(band + (row - first) * spec.stride_h * row_numbers(), image, row,
                              block, arrays);
        });
    }

    // The rows of x that outputs [first, last) see, with padding, as [row][column][channel].
    const uint16_t* copy(const float* x, int64_t image, int64_t first, int64_t last) const {
        const int64_t top = first * spec.stride_h - spec.pad_top;
        const int64_t rows = (last - first - 1) * spec.stride_h + (spec.r - 1) * spec.dilation_h + 1;
        const int64_t size = ceil_div(rows * row_numbers(), 2);
        float* room = scratch(Scratch::worker_a, size + spec.c * line_floats());
        auto* to = reinterpret_cast<uint16_t*>(room);
        std::memset(room, 0, size * sizeof(float));
        for (int64_t row = std::max<int64_t>(0, -top); row < std::min(rows, spec.h - top); ++row) {
            for (int64_t c = 0; c < spec.c; ++c)
                round_line(x + ((image * spec.c + c) * spec.h + top + row) * spec.w,
                           room + size + c * line_floats());
            lay_side_by_side(room + size, to + row * row_numbers() + spec.pad_left * spec.c);
        }
        return to;
    }

    int64_t line_floats() const { return ceil_div(spec.w, kBlock) * kBlock / 2; }

    // The last numbers by way of a buffer: whole registers are rounded.
    void round_line(const float* from, float* room) const {
        auto* to = reinterpret_cast<uint16_t*>(room);
        const int64_t whole = spec.w / kBlock * kBlock, rest = spec.w - whole;
        bfloat16().round(from, to, whole);
        float last[kBlock] = {};
        std::copy_n(from + whole, rest, last);
        if (rest) bfloat16().round(last, to + whole, kBlock);
    }

    void lay_side_by_side(const float* lines, uint16_t* pixels) const {
        const auto* first = reinterpret_cast<const uint16_t*>(lines);
        const int64_t line = 2 * line_floats();
        if (spec.c == 3) {  // nearly always
            const uint16_t *second = first + line, *third = second + line;
            for (int64_t i = 0; i < spec.w; ++i, pixels += 3)
                pixels[0] = first[i], pixels[1] = second[i], pixels[2] = third[i];
            return;
        }
        for (int64_t i = 0; i < spec.w; ++i, pixels += spec.c)
            for (int64_t c = 0; c < spec.c; ++c) pixels[c] = first[c * line + i];
    }

    void write_row(const uint16_t* rows, int64_t image, int64_t row, int64_t block,
                   const Arrays& arrays) const {
        std::vector<int64_t> offsets(spec.r * pairs_);
        for (size_t i = 0; i < offsets.size(); ++i)
            offsets[i] = i / pairs_ * spec.dilation_h * row_numbers() + i % pairs_ * 2;
        Product p{};
        p.b = reinterpret_cast<const uint16_t*>(weights_.data()) + begin(block);
        p.offsets = offsets.data();
        p.steps = static_cast<int64_t>(offsets.size());
        p.row_stride = spec.stride_w * spec.c;
        p.blocks = static_cast<int>(blocks_at(block));
        p.depth = 2;
        p.bias = bias_.data() + block * kBlock;
        const int64_t index = image * spec.y_image() +
                              (block * spec.out_h() + row) * spec.out_w() * kBlock;
        auto input = [&](int64_t column) { return rows + column * p.row_stride; };
        write(p, kernels_, true, {index, 0, spec.out_w(), tile_}, input, arrays);
    }

    const ProductKernels& kernels_;
    const int64_t pairs_;  // of a filter's row
    const int64_t tile_;
    Buffer weights_;
};

}  // namespace

bool suits_few_channels(const ConvSpec& spec) {
    const int64_t stride = spec.stride_w * spec.c;
    const bool known = stride == 3 || stride == 6 || stride == 12;
    return pair_kernels() && spec.c <= 4 && known && spec.groups == 1 && spec.dilation_w == 1;
}

std::unique_ptr<Convolution> make_few_channels(const ConvSpec& spec, const Filters& filters) {
    return std::make_unique<FewChannels>(spec, filters);
}

}  // namespace darter
