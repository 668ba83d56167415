// Pairs of bfloat16 on tiles (AMX): one instruction multiplies 16 rows of a by a block of b.
//
// A step of 16 channels fills half of a tile of a: blocked arrays have no 32 channels side by side.
// That is still eight times as fast as float32.
#include <cstring>

#include "product/product.hpp"
#include "runtime/tiles.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::amx {
namespace {

using avx512::Bfloat16;
using avx512::Vector;

constexpr int kTileRows = 16;
constexpr int kRows = 2 * kTileRows, kBlocks = 2;
constexpr int kPairs = kBlock / 2;  // rows of b, as they lie in memory

// Sums are tiles 0 to 3, [half of the rows][block]; a is 4 and 5, b is 6 and 7.
struct alignas(64) Configuration {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};

    explicit Configuration(int count) {
        const int first = count < kTileRows ? count : kTileRows, halves[2] = {first, count - first};
        for (int half = 0; half < 2; ++half) {
            if (!halves[half]) continue;
            set(2 * half, halves[half], 64);
            set(2 * half + 1, halves[half], 64);
            set(4 + half, halves[half], 32);
        }
        set(6, kPairs, 64);
        set(7, kPairs, 64);
    }

private:
    void set(int tile, int count, int width) {
        rows[tile] = static_cast<uint8_t>(count);
        bytes[tile] = static_cast<uint16_t>(width);
    }
};

// Loading a configuration takes as long as multiplying for three steps, looking at it does not.
// Others on this thread (PyTorch) load their own; released tiles look like none.
void configure(int rows) {
    const Configuration wanted(rows);
    Configuration now(rows);
    _tile_storeconfig(&now);
    if (std::memcmp(&now, &wanted, sizeof now) == 0) return;
    _tile_loadconfig(&wanted);
    release_tiles = [] { _tile_release(); };
}

template <bool two_halves, bool two_blocks>
void multiply(const Product& p, float* out, int64_t out_row, int64_t out_block) {
    const auto* b = static_cast<const uint16_t*>(p.b);
    const int64_t width = p.blocks * kBlock * 2, half = kTileRows * p.row_stride;
    const int64_t a_bytes = 2 * p.row_stride, b_bytes = 2 * width;
    _tile_zero(0);
    if constexpr (two_blocks) _tile_zero(1);
    if constexpr (two_halves) _tile_zero(2);
    if constexpr (two_halves && two_blocks) _tile_zero(3);
    for (int64_t step = 0; step < p.steps; ++step, b += kPairs * width) {
        const auto* a = static_cast<const uint16_t*>(p.a) + p.offsets[step];
        for (int line = 0; line < p.fetched; ++line)
            for (int pair = 0; pair < kPairs; ++pair)
                __builtin_prefetch(b + p.ahead + pair * width + line * kBlock * 2, 0, 2);
        _tile_loadd(4, a, a_bytes);
        _tile_loadd(6, b, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (two_blocks) {
            _tile_loadd(7, b + kBlock * 2, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (two_halves) {
            _tile_loadd(5, a + half, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
            if constexpr (two_blocks) _tile_dpbf16ps(3, 5, 7);
        }
    }
    const int64_t row_bytes = 4 * out_row;
    _tile_stored(0, out, row_bytes);
    if constexpr (two_blocks) _tile_stored(1, out + out_block, row_bytes);
    if constexpr (two_halves) _tile_stored(2, out + kTileRows * out_row, row_bytes);
    if constexpr (two_halves && two_blocks)
        _tile_stored(3, out + kTileRows * out_row + out_block, row_bytes);
}

void multiply_tiles(const Product& p, float* out, int64_t out_row, int64_t out_block) {
    const bool two_halves = p.rows > kTileRows, two_blocks = p.blocks == 2;
    if (two_halves && two_blocks) return multiply<true, true>(p, out, out_row, out_block);
    if (two_halves) return multiply<true, false>(p, out, out_row, out_block);
    if (two_blocks) return multiply<false, true>(p, out, out_row, out_block);
    multiply<false, false>(p, out, out_row, out_block);
}

void run(const Product& p) {
    configure(p.rows);
    float* out = static_cast<float*>(p.out);
    if (!p.bias && !p.accumulate && !p.finish)
        return multiply_tiles(p, out, p.out_row, p.out_block);
    alignas(64) float sums[kRows * kBlocks * kBlock];
    multiply_tiles(p, sums, kBlocks * kBlock, kBlock);
    const Vector low = Vector::fill(p.low), high = Vector::fill(p.high);
    for (int block = 0; block < p.blocks; ++block) {
        const Vector bias = p.bias && !p.accumulate ? Vector::load(p.bias + block * kBlock)
                                                    : Vector::zero();
        for (int row = 0; row < p.rows; ++row) {
            const int64_t at = row * p.out_row + block * p.out_block;
            Vector sum = Vector::load(sums + (row * kBlocks + block) * kBlock) + bias;
            if (p.rounded) {
                const auto* added = static_cast<const uint16_t*>(p.residual);
                if (added) sum = sum + Bfloat16::load(added + at);
                Bfloat16::store(clamp(sum, low, high), static_cast<uint16_t*>(p.out) + at);
                continue;
            }
            if (p.accumulate) sum = sum + Vector::load(out + at);
            if (p.finish && p.residual)
                sum = sum + Vector::load(static_cast<const float*>(p.residual) + at);
            if (p.finish) sum = clamp(sum, low, high);
            sum.store(out + at);
        }
    }
}

}  // namespace

extern const ProductKernels bfloat16_product_kernels;
const ProductKernels bfloat16_product_kernels = {kRows, kBlocks, run};

void load_foreign_tiles() {
    const Configuration other(3);
    _tile_loadconfig(&other);
}

bool tiles_in_use() {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(1));  // what differs from its state at start
    return low >> 17 & 3;
}

}  // namespace darter::amx
