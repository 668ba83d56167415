// Changes of layout by squares that are transposed in registers; each instruction set instantiates
// them once.
#pragma once
#include "conv/layout/layout.hpp"

namespace darter::layout {

constexpr int kBlock = 16;

// Pixels of the next square: up to the end of a cache line, where all planes have it in one place.
// Large planes are often whole pages apart: lines of 16 planes then fall into the same few sets of
// the L1 cache, and none is there any more when its second half is wanted.
template <int side>
int64_t columns_from(const float* planes, int64_t pixel, const BlockOfPlanes& size) {
    int64_t whole = side;
    if (size.plane % side == 0)
        whole -= reinterpret_cast<uintptr_t>(planes + pixel) / sizeof(float) % side;
    return whole < size.pixels - pixel ? whole : size.pixels - pixel;
}

inline int at_most(int64_t count, int most) { return count < most ? static_cast<int>(count) : most; }

// A Square is `side` registers of as many floats. load(row, from, count) and store(row, to, count)
// move the first `count` (0 ... side) numbers of a row; what is not loaded is 0.
template <class Square>
void to_block(const float* planes, float* block, const BlockOfPlanes& size) {
    constexpr int side = Square::side;
    for (int64_t pixel = 0, columns = 0; pixel < size.pixels; pixel += columns) {
        columns = columns_from<side>(planes, pixel, size);
        for (int part = 0; part < kBlock; part += side) {
            const int rows = at_most(size.channels - part, side);
            const float* from = planes + part * size.plane + pixel;
            Square square;
#pragma GCC unroll 16
            for (int row = 0; row < side; ++row)
                square.load(row, from + row * size.plane, row < rows ? static_cast<int>(columns) : 0);
            if (size.ahead)
                for (int row = 0; row < rows; ++row)
                    __builtin_prefetch(from + row * size.plane + size.ahead, 0, 2);
            square.transpose();
            float* to = block + pixel * kBlock + part;
#pragma GCC unroll 16
            for (int row = 0; row < side; ++row)
                if (row < columns) square.store(row, to + row * kBlock, side);
        }
    }
}

template <class Square>
void from_block(const float* block, float* planes, const BlockOfPlanes& size) {
    constexpr int side = Square::side;
    for (int64_t pixel = 0, columns = 0; pixel < size.pixels; pixel += columns) {
        columns = columns_from<side>(planes, pixel, size);
        for (int part = 0; part < size.channels; part += side) {
            const int rows = at_most(size.channels - part, side);
            const float* from = block + pixel * kBlock + part;
            Square square;
#pragma GCC unroll 16
            for (int row = 0; row < side; ++row)
                square.load(row, from + row * kBlock, row < columns ? side : 0);
            float* to = planes + part * size.plane + pixel;
            if (size.ahead)
                for (int row = 0; row < rows; ++row)
                    __builtin_prefetch(to + row * size.plane + size.ahead, 0, 2);
            square.transpose();
#pragma GCC unroll 16
            for (int row = 0; row < side; ++row)
                if (row < rows) square.store(row, to + row * size.plane, static_cast<int>(columns));
        }
    }
}

template <class Square>
constexpr LayoutKernels kernels() {
    return {to_block<Square>, from_block<Square>};
}

}  // namespace darter::layout
