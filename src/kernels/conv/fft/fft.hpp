// The Fourier tiles that an instruction set has.
#pragma once
#include "conv/tiled/tiled.hpp"

namespace darter {

struct FftTile {
    int side;
    void (*input)(const InputTile&);
    void (*output)(const OutputTile&);
};

struct FftKernels {
    FftTile all[3];
    // v *= u, complex, one channel block: [position][part][16].
    void (*multiply)(float* v, const float* u, int64_t positions);
};

}  // namespace darter
