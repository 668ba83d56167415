// The Winograd transforms that an instruction set has.
#pragma once
#include "conv/tiled/tiled.hpp"

namespace darter {

// Input transforms of square tiles whose results are bfloat16: as such where the CPU multiplies
// them, else as float32.
struct Bfloat16Inputs {
    void (*inputs_4)(const InputTile&);
    void (*inputs_6)(const InputTile&);
};

struct WinogradKernels {
    TileTransform all[11];
    Bfloat16Inputs rounded;
};

const WinogradKernels& winograd_transforms();  // of the active instruction set

}  // namespace darter
