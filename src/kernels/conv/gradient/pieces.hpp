// How the sums of a filter gradient are cut: a piece of a few blocks of filters by a block of
// channels. Not for files of one instruction set.
#pragma once
#include <algorithm>
#include <vector>

#include "conv/convolution.hpp"
#include "conv/gradient/kernels.hpp"
#include "conv/gradient/pairs.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {

struct Piece {
    int64_t k_block, blocks;  // filters
    int64_t c_block;
    int64_t sum;              // where its sums begin, per position
};

// Sums lie as [piece][position][16 channels][blocks * 16 filters]; a position is a tap, or one of a
// transform's.
class Pieces {
public:
    Pieces(const ConvSpec& spec, int64_t positions)
        : spec_(spec), positions_(positions), kernels_(gradient_kernels()) {
        const int64_t k_blocks = blocks_of(spec.k), most = even_piece(k_blocks, kernels_.blocks);
        for (int64_t k = 0; k < k_blocks; k += most)
            for (int64_t c = 0; c < blocks_of(spec.c); ++c) {
                Piece piece{k, std::min(most, k_blocks - k), c, floats_};
                if (!sees(piece)) continue;
                list_.push_back(piece);
                floats_ += size(piece) * positions;
            }
    }

    int64_t count() const { return static_cast<int64_t>(list_.size()); }
    const Piece& operator[](int64_t i) const { return list_[i]; }
    int64_t floats() const { return floats_; }
    // Floats of a piece at one position.
    static int64_t size(const Piece& piece) { return kBlock * piece.blocks * kBlock; }

    // sum += (or =) the products of rows of x and dy, for one piece at one position; x and dy point to
    // its blocks.
    void multiply(OuterProduct p, const Piece& piece, float* sum) const {
        const float* x = p.x;
        const int64_t channels = std::min<int64_t>(kBlock, spec_.c - piece.c_block * kBlock);
        p.blocks = static_cast<int>(piece.blocks);
        for (int64_t c = 0; c < channels; c += kernels_.channels) {
            p.x = x + c;
            p.channels = static_cast<int>(std::min<int64_t>(kernels_.channels, channels - c));
            p.sum = sum + c * piece.blocks * kBlock;
            kernels_.outer(p);
        }
    }

    // The same of pairs of bfloat16.
    void multiply(const PairKernels& kernels, PairProduct p, const Piece& piece, float* sum) const {
        const uint16_t* x = p.x;
        const int64_t channels = std::min<int64_t>(kBlock, spec_.c - piece.c_block * kBlock);
        p.blocks = static_cast<int>(piece.blocks);
        for (int64_t c = 0; c < channels; c += kernels.channels) {
            p.x = x + 2 * c;
            p.channels = static_cast<int>(std::min<int64_t>(kernels.channels, channels - c));
            p.sum = sum + c * piece.blocks * kBlock;
            kernels.outer(p);
        }
    }

    // Calls body(first, last) for ranges of pieces, on all threads.
    template <typename Body>
    void each_range(const Body& body) const {
        const int64_t tasks = threads() == 1 ? 1 : std::min<int64_t>(count(), 4 * threads());
        parallel_for(tasks, [&](size_t task) {
            const int64_t i = static_cast<int64_t>(task);
            body(i * count() / tasks, (i + 1) * count() / tasks);
        });
    }

    // The sum of `parts` sums, in the first.
    void join(float* sums, int64_t parts) const {
        if (parts == 1) return;
        parallel_for(count(), [&](size_t i) {
            const Piece& piece = list_[i];
            for (int64_t part = 1; part < parts; ++part)
                kernels_.add(sums + part * floats_ + piece.sum, sums + piece.sum,
                             size(piece) * positions_);
        });
    }

    // One piece's [tap][16][blocks * 16] to dw. Sums of filters with channels of other groups exist
    // where blocks are shared; they are left out.
    void write(const Piece& piece, const float* sum, float* dw) const {
        const int64_t taps = spec_.r * spec_.s, width = piece.blocks * kBlock;
        const int64_t per_group = spec_.c / spec_.groups, filters = spec_.k / spec_.groups;
        const int64_t first_k = piece.k_block * kBlock, first_c = piece.c_block * kBlock;
        const int64_t last_k = std::min(spec_.k, first_k + width);
        int64_t k = first_k;
        for (; spec_.groups == 1 && k + 4 <= last_k; k += 4)
            write_four(sum + k - first_k, width, std::min<int64_t>(kBlock, spec_.c - first_c),
                       dw + (k * spec_.c + first_c) * taps);
        for (; k < last_k; ++k) {
            const int64_t from = k / filters * per_group;  // the first channel that it sees
            const int64_t begin = std::max(first_c, from);
            const int64_t end = std::min(first_c + kBlock, from + per_group);
            for (int64_t c = begin; c < end; ++c)
                for (int64_t tap = 0; tap < taps; ++tap)
                    dw[(k * per_group + c - from) * taps + tap] =
                        sum[(tap * kBlock + c - first_c) * width + k - first_k];
        }
    }

private:
    using Four [[gnu::vector_size(16), gnu::aligned(4)]] = float;

    // The sums of four filters, [tap][16][width], to [filter][channel][tap]: four by four turned.
    void write_four(const float* sum, int64_t width, int64_t channels, float* dw) const {
        using Order [[gnu::vector_size(16)]] = int;
        const int64_t taps = spec_.r * spec_.s, next = spec_.c * taps, all = channels * taps;
        int64_t tap = 0, channel = 0;
        auto row = [&]() -> Four {
            const Four found = *reinterpret_cast<const Four*>(sum + (tap * kBlock + channel) * width);
            if (++tap == taps) tap = 0, ++channel;
            return found;
        };
        int64_t i = 0;
        for (; i + 4 <= all; i += 4) {
            const Four r0 = row(), r1 = row(), r2 = row(), r3 = row();
            const Four a = __builtin_shuffle(r0, r1, Order{0, 4, 1, 5});
            const Four b = __builtin_shuffle(r2, r3, Order{0, 4, 1, 5});
            const Four c = __builtin_shuffle(r0, r1, Order{2, 6, 3, 7});
            const Four d = __builtin_shuffle(r2, r3, Order{2, 6, 3, 7});
            const Four turned[4] = {__builtin_shuffle(a, b, Order{0, 1, 4, 5}),
                                    __builtin_shuffle(a, b, Order{2, 3, 6, 7}),
                                    __builtin_shuffle(c, d, Order{0, 1, 4, 5}),
                                    __builtin_shuffle(c, d, Order{2, 3, 6, 7})};
            for (int k = 0; k < 4; ++k) *reinterpret_cast<Four*>(dw + k * next + i) = turned[k];
        }
        for (; i < all; ++i) {
            const Four last = row();
            for (int k = 0; k < 4; ++k) dw[k * next + i] = last[k];
        }
    }

    bool sees(const Piece& piece) const {
        if (spec_.groups == 1) return true;
        const int64_t per_group = spec_.c / spec_.groups, filters = spec_.k / spec_.groups;
        const int64_t last = std::min(spec_.k, (piece.k_block + piece.blocks) * kBlock) - 1;
        const int64_t first_c = piece.k_block * kBlock / filters * per_group;
        const int64_t end_c = (last / filters + 1) * per_group;
        return first_c < (piece.c_block + 1) * kBlock && piece.c_block * kBlock < end_c;
    }

    const ConvSpec spec_;
    const int64_t positions_;
    const GradientKernels& kernels_;
    std::vector<Piece> list_;
    int64_t floats_ = 0;
};

}  // namespace darter
