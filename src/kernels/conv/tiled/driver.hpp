// The driver of convolutions by transformed tiles. Not for files of one instruction set.
#pragma once
#include "conv/layout/layout.hpp"
#include "conv/tiled/grid.hpp"

namespace darter {

// Tiles are worked on in groups. `v` holds the transformed patches of a group, [position][channel
// block][part][tile][16], or in pieces of as many tiles as a product takes, [piece][channel block]
// [position][part][tile][16]. Filters come in units of a few blocks; how a unit is kept and
// multiplied is left to subclasses.
//
// Two ways to split the work:
//   private  v fits in the L2 cache: a thread takes a whole group through all three stages;
//   shared   v lies in L3: all threads transform a large group, then each takes units of filters,
//            so that filters that exceed the caches are read from memory as seldom as possible.
class Tiled : public Convolution {
public:
    void run(const float* x, float* y, const float* residual) const override;
    void run_any(const Arrays& arrays) const override;
    bool takes(Element x, Element y) const override;

protected:
    struct Layout {
        int64_t blocks;         // of filters in a unit; the last one may have fewer
        int64_t rows;           // tiles that one product takes
        bool shared;            // always
        int64_t tasks;          // of a thread, at least, where tiles can be split
        bool pieces;            // in v
    };

    Tiled(const ConvSpec& spec, const Filters& filters, const TileTransform& transform,
          Precision precision, const Layout& layout);
    Tiled(const Tiled& other, int64_t n, int64_t x_blocks, int64_t y_blocks);

    // The products of one unit of filters with `tiles` tiles, that begin at v (with a piece), at all
    // positions: [position][tile][columns of the unit].
    virtual void multiply(const void* v, int64_t unit, int64_t tiles, float* products,
                          int64_t position_stride) const = 0;

    int64_t tiles() const { return tiles_; }
    int64_t depth_blocks() const { return blocks_of(spec.c) * t_.parts; }
    int64_t units() const { return ceil_div(blocks_of(spec.k), layout_.blocks); }
    int64_t unit_blocks(int64_t unit) const {
        return std::min(layout_.blocks, blocks_of(spec.k) - unit * layout_.blocks);
    }
    // Elements of v.
    int64_t v_position() const { return v_position_; }
    int64_t v_block() const { return v_block_; }
    int64_t v_part() const { return v_part_; }
    int64_t piece() const { return piece_; }                    // tiles
    int64_t place(int64_t tile) const {                         // of a tile of the group
        return tile / piece_ * v_piece_ + tile % piece_ * kBlock;
    }

    const TileTransform t_;
    const Operands operands_;

private:
    // [position: so many floats apart][tile: so many apart][columns of the unit]
    struct Products {
        const float* data;
        int64_t position, tile;
    };

    void choose_group();
    void lay_out();
    void run_shared(const Arrays& arrays) const;
    // Patches of tiles [first, last) into v, whose first tile is `group`.
    void transform(const Arrays& arrays, void* v, int64_t group, int64_t first, int64_t last) const;
    void transform_blocked(const Arrays& arrays, void* v, int64_t group, int64_t first,
                           int64_t last) const;
    void transform_plain(const float* x, void* v, int64_t group, int64_t first, int64_t last) const;
    // Outputs of tiles [first, last) for one unit of filters.
    void finish(const void* v, int64_t unit, int64_t group, int64_t first, int64_t last,
                const Arrays& arrays) const;
    // The same from their products, so many floats between positions and between tiles.
    void finish_blocked(const Products& products, int64_t unit, int64_t first, int64_t last,
                        float* y, const float* residual) const;
    void finish_rounded(const Products& products, int64_t unit, int64_t first, int64_t last,
                        uint16_t* y, const uint16_t* residual) const;
    void finish_plain(const Products& products, int64_t unit, int64_t first, int64_t last, float* y,
                      const float* residual) const;
    OutputTile completed(OutputTile out, const Products& products, int64_t tile,
                         int64_t block) const;

    const Layout layout_;
    const LayoutKernels& layout_kernels_ = layout_kernels();
    const TileGrid grid_{spec, t_};
    const int64_t tiles_ = grid_.size();
    int64_t group_, piece_, v_piece_, v_position_, v_block_, v_part_, v_size_;
    bool shared_;
};

}  // namespace darter
