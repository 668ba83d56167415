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

// Input transforms of pixels that are bfloat16: of each of `WinogradKernels::all`, and those whose
// results are too.
struct InputsOfBfloat16 {
    void (*all[11])(const InputTile&);
    Bfloat16Inputs rounded;
};

struct WinogradKernels {
    TileTransform all[11];
    Bfloat16Inputs rounded;
};

const WinogradKernels& winograd_transforms();  // of the active instruction set
// The input transform of a patch of so many bfloat16 pixels; null where the CPU has none.
void (*winograd_input_of_bfloat16(int inputs_h, int inputs_w))(const InputTile&);

}  // namespace darter
