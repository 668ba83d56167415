// The filter gradient as products whose inner dimension is pixels: for each tap, the sum over output
// pixels of x (of one block of channels, shifted by the tap) times dy. Nothing is unfolded or padded:
// each tap has its own range of output pixels whose input lies inside the image.
#include "conv/gradient/gradient.hpp"
#include "conv/gradient/pieces.hpp"
#include "conv/gradient/range.hpp"

namespace darter {
namespace {

constexpr int64_t kChunkPixels = 512;  // whose channels and filters are used from L2

// Rows of some images that are summed at a time, for one row of taps.
struct Rows {
    std::vector<int64_t> x, dy;  // where their first columns begin; x may begin outside
};

class Direct final : public FilterGradient {
public:
    explicit Direct(const ConvSpec& spec)
        : FilterGradient(flattened(spec)), pieces_(this->spec, spec.r * spec.s) {}

    int64_t sum_floats() const override { return pieces_.floats(); }

    void add(const float* x, const float* dy, int64_t images, float* sum, bool first) const override {
        const int64_t out_w = spec.out_w(), rows = images * spec.out_h();
        const int64_t at_once = std::max<int64_t>(1, kChunkPixels / out_w);
        pieces_.each_range([&](int64_t begin, int64_t end) {
            Rows list;
            for (int64_t row = 0; row < rows; row += at_once)
                for (int64_t column = 0; column < out_w; column += kChunkPixels) {
                    const Range columns{column, std::min(out_w, column + kChunkPixels)};
                    const bool fresh = first && row == 0 && column == 0;
                    add_chunk({row, std::min(rows, row + at_once)}, columns, x, dy, sum, fresh,
                              {begin, end}, list);
                }
        });
    }

    void finish(const float* sums, int64_t parts, float* dw) const override {
        pieces_.join(const_cast<float*>(sums), parts);
        parallel_for(pieces_.count(), [&](size_t i) {
            pieces_.write(pieces_[i], sums + pieces_[i].sum, dw);
        });
    }

private:
    void add_chunk(Range rows, Range columns, const float* x, const float* dy, float* sum, bool first,
                   Range pieces, Rows& list) const {
        for (int64_t r = 0; r < spec.r; ++r) {
            list_rows(rows, r, list);
            for (int64_t i = pieces.first; i < pieces.last; ++i)
                for (int64_t s = 0; s < spec.s; ++s)
                    add_tap(list, columns, x, dy, pieces_[i], r, s, sum, first);
        }
    }

    void list_rows(Range rows, int64_t r, Rows& list) const {
        const int64_t out_h = spec.out_h(), out_w = spec.out_w();
        const Range inside = seen(r, spec.dilation_h, spec.stride_h, spec.pad_top, spec.h, out_h);
        list.x.clear(), list.dy.clear();
        for (int64_t row = rows.first; row < rows.last; ++row) {
            const int64_t image = row / out_h, out = row % out_h;
            if (out < inside.first || out >= inside.last) continue;
            const int64_t in = out * spec.stride_h - spec.pad_top + r * spec.dilation_h;
            list.x.push_back(image * spec.x_image() + (in * spec.w - spec.pad_left) * kBlock);
            list.dy.push_back(image * spec.y_image() + out * out_w * kBlock);
        }
    }

    void add_tap(const Rows& list, Range columns, const float* x, const float* dy, const Piece& piece,
                 int64_t r, int64_t s, float* sum, bool first) const {
        const int64_t out_plane = spec.out_h() * spec.out_w() * kBlock;
        const Range inside =
            seen(s, spec.dilation_w, spec.stride_w, spec.pad_left, spec.w, spec.out_w());
        const int64_t from = std::max(columns.first, inside.first);
        const int64_t to = std::max(from, std::min(columns.last, inside.last));
        const int64_t step = spec.stride_w * kBlock;
        OuterProduct p{};
        p.x = x + piece.c_block * spec.h * spec.w * kBlock + s * spec.dilation_w * kBlock +
              from * step;
        p.dy = dy + piece.k_block * out_plane + from * kBlock;
        p.x_rows = list.x.data(), p.dy_rows = list.dy.data();
        p.rows = static_cast<int64_t>(list.x.size());
        p.columns = to - from;
        p.x_step = step;
        p.dy_block = out_plane;
        p.first = first;
        pieces_.multiply(p, piece, sum + piece.sum + (r * spec.s + s) * Pieces::size(piece));
    }

    const Pieces pieces_;
};

}  // namespace

std::unique_ptr<FilterGradient> make_filter_gradient_direct(const ConvSpec& spec) {
    return std::make_unique<Direct>(spec);
}

}  // namespace darter
