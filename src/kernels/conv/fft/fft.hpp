// The Fourier tiles that an instruction set has.
#pragma once
#include "conv/tiled/tiled.hpp"

namespace darter {

struct FftKernels {
    struct {
        int side;
        void (*input)(const InputTile&);
        void (*output)(const OutputTile&);
    } all[2];
};

}  // namespace darter
